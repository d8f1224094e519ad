/** How the demo runs the producer and the consumer, and finds what they leave behind. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** A line that a program prints with --json. */
export interface Line {
  readonly event: string;
  readonly text: string;
  readonly size: number;
  readonly atMs: number;
}

/** A running program. */
export interface Program {
  readonly child: Bun.Subprocess;
  /** Fulfilled when it has ended and its last line was read. */
  readonly ended: Promise<void>;
}

/** Starts one of the programs in this directory's parent, with --json. */
export function startProgram(
  program: string,
  args: readonly string[],
  onLine: (line: Line) => void,
): Program {
  const path = join(import.meta.dir, `../${program}.ts`);
  const child = Bun.spawn([process.execPath, path, "--json", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) onLine(JSON.parse(line) as Line);
    }
    await child.exited;
  };
  return { child, ended: read() };
}

/** The files in /dev/shm that belong to a queue of that name. */
export function leftoversOf(name: string): string[] {
  try {
    return readdirSync("/dev/shm").filter((file) => file.includes(name.slice(1)));
  } catch {
    // This system keeps shared memory somewhere else.
    return [];
  }
}
