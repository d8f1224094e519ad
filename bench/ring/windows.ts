/**
 * The ring beside its peers in C, window by window: one pair of processes, each pinned to a core,
 * measures all variants in turns, and two bare words beside them, which say how far apart the cores
 * are. So what moves the cores moves all variants alike, and the ratio of neighbours counts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bunProgram, compile, figuresOf, start } from "../support/report.ts";
import { type Measured, summary } from "../support/turns.ts";

/** What both sides do at once. Side 0 measures. */
export interface Window {
  readonly kind: "words" | "copy" | "oneway" | "rtt";
  /**
   * For rings: "bun", or "bun" and the name of another tree; "c", or "c-modern", which also pauses
   * and fetches ahead.
   */
  readonly variant: string;
  readonly size: number;
  /** A producer publishes after so many records. */
  readonly batch: number;
  readonly count: number;
  readonly capacity: number;
}

/** What is measured in turns: one kind of exchange with records of one size. */
export interface Row {
  readonly kind: "oneway" | "rtt";
  readonly size: number;
  readonly batch: number;
}

export const ROWS: readonly Row[] = [
  ...[8, 64, 1024].map((size): Row => ({ kind: "rtt", size, batch: 1 })),
  ...[8, 64, 1024, 65536].flatMap((size) =>
    [1, 32].map((batch): Row => ({ kind: "oneway", size, batch })),
  ),
];

const WORDS: Window = {
  kind: "words",
  variant: "words",
  size: 4,
  batch: 1,
  count: 20_000,
  capacity: 4096,
};
/** Rounds before the first that counts, in which the engine compiles. */
const WARM_ROUNDS = 2;

/** The peers in C, as a library; undefined without a compiler. */
export class Peers implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "bun-shm-bench-"));
  readonly library: string | undefined = compile(
    "bench/ring/peers.c",
    join(this.#directory, "peers.so"),
    ["-shared", "-fPIC"],
  );

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** @returns How many records or round trips a window of some tens of ms has. */
function countOf({ kind, size }: Row): number {
  return kind === "rtt" ? 100_000 : Math.round(1_000_000 / Math.max(1, size / 256));
}

/**
 * Measures a row in so many rounds.
 *
 * @param library The peers in C.
 * @param trees Other trees of this package by the names of their variants.
 * @returns In ns a record or a round trip, by variant, and "words" and "copy"; ratios to "bun".
 */
export async function measureRow(
  row: Row,
  rounds: number,
  library: string,
  trees: Readonly<Record<string, string>> = {},
): Promise<Measured<string>> {
  const capacity = row.size > 4096 ? 1 << 20 : 1 << 18;
  const rings = [...Object.keys(trees), "bun", "c", ...(row.kind === "oneway" ? ["c-modern"] : [])];
  const round: Window[] = rings.map((variant) => ({
    ...row,
    variant,
    count: countOf(row),
    capacity,
  }));
  round.push(WORDS);
  if (row.size >= 65536) round.push({ ...round[0]!, kind: "copy", variant: "copy" });
  const windows = Array.from({ length: WARM_ROUNDS + rounds }, () => round).flat();
  const name = `/bun-shm-bench-${process.pid}-${crypto.randomUUID()}`;
  const args = [name, library, JSON.stringify(windows), JSON.stringify(trees)];
  const [first, second] = [0, 1].map((side) =>
    start(bunProgram(side, "bench/ring/window-side.ts", String(side), ...args)),
  );
  const [figures] = await Promise.all([figuresOf<number[]>(first!), second!.exited]);
  const times: Record<string, number[]> = {};
  round.forEach(({ variant }, at) => {
    times[variant] = Array.from(
      { length: rounds },
      (_, of) => figures[(WARM_ROUNDS + of) * round.length + at]!,
    );
  });
  const { bun = [], ...others } = times;
  return summary({ bun, ...others });
}
