/**
 * What is to be reached beside what was measured. Each benchmark shows its own rows; where
 * BENCH_TARGETS names a file, it adds them there, so that `bun run bench` can show all of them.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { type Spread, show, table } from "./report.ts";

/** One row: what must at least be reached, and what is aimed at. */
export interface Target {
  readonly what: string;
  readonly least: string;
  readonly aim: string;
  /** What was measured; undefined where a peer was missing. */
  readonly measured: Spread | undefined;
}

/** Shows the rows of one benchmark. */
export function showTargets(targets: readonly Target[], isShown = true): void {
  const file = process.env["BENCH_TARGETS"];
  if (file !== undefined)
    for (const row of targets) appendFileSync(file, `${JSON.stringify(row)}\n`);
  if (isShown && targets.length > 0) print(targets);
}

/** Shows the rows that several benchmarks have left in a file. */
export function showAllTargets(file: string): void {
  if (!existsSync(file)) return;
  const lines = readFileSync(file, "utf8").trim().split("\n");
  print(lines.map((line) => JSON.parse(line) as Target));
}

function print(targets: readonly Target[]): void {
  console.log("\nTo be reached, and aimed at; measured as median (least–most)\n");
  console.log(
    table([
      ["", "at least", "aim", "measured"],
      ...targets.map(({ what, least, aim, measured }) => [
        what,
        least,
        aim,
        measured === undefined ? "–" : show(measured),
      ]),
    ]),
  );
}
