/** How rounds of a loop are measured and reported. */
import { type Spread, machine, spreadOf } from "../support/report.ts";

export interface Figure {
  readonly name: string;
  readonly unit: "ns" | "ms" | "ratio" | "percent" | "M/s";
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

const figures: Figure[] = [];
const asJson: boolean = process.argv.includes("--json");
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 9);

function say(text: string): void {
  if (!asJson) console.log(text);
}

export function heading(text: string): void {
  say(`\n${text}`);
}

export function note(text: string): void {
  say(`  ${text}`);
}

/** Records the rounds of one figure. */
export function report(name: string, unit: Figure["unit"], rounds: readonly number[]): Figure {
  return reportSpread(name, unit, spreadOf(rounds));
}

/** Records one figure. */
export function reportSpread(name: string, unit: Figure["unit"], spread: Spread): Figure {
  const { median, min, max } = spread;
  const figure = { name, unit, median, min, max };
  figures.push(figure);
  const show = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
  const range = min < max ? ` (${show(min)} – ${show(max)})` : "";
  say(`  ${name.padEnd(52)} ${show(median).padStart(9)} ${unit}${range}`);
  return figure;
}

/** Nanoseconds a call of `body(at)`, over several rounds of `count` calls. */
export function measure(name: string, count: number, body: (at: number) => unknown): Figure {
  let sink: unknown;
  const loop = (): void => {
    for (let at = 0; at < count; at++) sink = body(at);
  };
  for (let warm = 0; warm < 3; warm++) loop();
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = Bun.nanoseconds();
    loop();
    return (Bun.nanoseconds() - start) / count;
  });
  (globalThis as { sink?: unknown }).sink = sink;
  return report(name, "ns", rounds);
}

/** Measures like `measure`, for calls that are awaited one by one. */
export async function measureAsync(
  name: string,
  count: number,
  body: (at: number) => Promise<unknown>,
): Promise<Figure> {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = Bun.nanoseconds();
    for (let at = 0; at < count; at++) await body(at);
    // The first round warms up.
    if (round > 0) rounds.push((Bun.nanoseconds() - start) / count);
  }
  return report(name, "ns", rounds);
}

/** How much faster `ours` is than `theirs`, by the medians. */
export function compare(name: string, theirs: Figure, ours: Figure): void {
  report(name, "ratio", [theirs.median / ours.median]);
}

/** What was measured, where, and in how many rounds. */
export function finish(skipped: readonly string[], rounds: number = ROUNDS): void {
  if (asJson) console.log(JSON.stringify({ machine: machine(), figures, skipped }, null, 2));
  else {
    for (const reason of skipped) console.log(`\nSkipped: ${reason}`);
    console.log(`\n${machine()}; median (min – max) of ${rounds} rounds`);
  }
}
