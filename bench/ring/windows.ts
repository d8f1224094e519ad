/** Windows in which variants are measured in turns, by one pair of pinned processes. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bunProgram } from "../support/report.ts";

export interface Window {
  /** "bun…", of which each may be another tree; "c" or "c-modern"; "" where there is only one. */
  readonly variant: string;
  readonly kind: "words" | "copy" | "oneway" | "rtt";
  readonly size: number;
  readonly batch: number;
  readonly count: number;
  readonly capacity: number;
}

export function buildPeers(): string {
  const library = join(mkdtempSync(join(tmpdir(), "bun-shm-bench-")), "peers.so");
  const command = [
    "cc",
    "-O3",
    "-shared",
    "-fPIC",
    "-o",
    library,
    join(import.meta.dir, "peers.c"),
  ];
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(String(stderr));
  return library;
}

/** Runs the windows one after the other. @returns What side 0 measured in each. */
export async function runWindows(
  library: string,
  windows: readonly Window[],
  trees: Record<string, string> = {},
): Promise<number[]> {
  const name = `/bun-shm-bench-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const sides = [0, 1].map((side) =>
    Bun.spawn(
      bunProgram(
        side,
        "bench/ring/window-side.ts",
        String(side),
        name,
        library,
        JSON.stringify(windows),
        JSON.stringify(trees),
      ),
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    ),
  );
  const [text] = await Promise.all(sides.map((side) => side.stdout.text()));
  for (const side of sides)
    if ((await side.exited) !== 0) throw new Error("A side of the windows failed");
  return text!.trim().split("\n").map(Number);
}
