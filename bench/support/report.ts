/** What the benchmarks share: the machine's description, pinned children, and summaries. */
import { cpus } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";

/** The machine that the figures were measured on. */
export function machine(): string {
  const [first] = cpus();
  return (
    `${first?.model.trim()}, ${cpus().length} cores, ${process.platform} ${process.arch}, ` +
    `Bun ${Bun.version}`
  );
}

const TASKSET = Bun.which("taskset");

/** A command on one core, where the system can pin it. Without `taskset` the figures say so. */
export function pinned(core: number, command: readonly string[]): string[] {
  return TASKSET === null ? [...command] : [TASKSET, "-c", String(core), ...command];
}

export const PINNED: boolean = TASKSET !== null;

/** A Bun program of the repository, on one core. */
export function bunProgram(core: number, program: string, ...args: string[]): string[] {
  return pinned(core, [process.execPath, join(import.meta.dir, "../..", program), ...args]);
}

/** Starts a command whose output is figures as JSON. */
export function start(command: string[]): Subprocess<"ignore", "pipe", "inherit"> {
  return Bun.spawn(command, { stdio: ["ignore", "pipe", "inherit"] });
}

/** The figures that a command printed. @throws Error when it failed. */
export async function figuresOf<T>(child: Subprocess<"ignore", "pipe", "inherit">): Promise<T> {
  const text = await child.stdout.text();
  if ((await child.exited) !== 0) throw new Error(`A benchmark program failed: ${text}`);
  return JSON.parse(text) as T;
}

/** Compiles a C source of the repository; undefined without a compiler. */
export function compile(
  source: string,
  output: string,
  flags: readonly string[] = [],
): string | undefined {
  const compiler = Bun.which("cc") ?? Bun.which("gcc") ?? Bun.which("clang");
  if (compiler === null) return undefined;
  const path = join(import.meta.dir, "../..", source);
  const { exitCode, stderr } = Bun.spawnSync([
    compiler,
    "-O3",
    "-pthread",
    ...flags,
    "-o",
    output,
    path,
  ]);
  if (exitCode !== 0) throw new Error(String(stderr));
  return output;
}

/** Median, least and most of several runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: sorted[sorted.length >> 1]!,
    min: sorted[0]!,
    max: sorted.at(-1)!,
  };
}

/** The value below which a share of the values lies. It sorts them in place. */
export function percentile(values: Float64Array, share: number): number {
  values.sort();
  return values[Math.min(values.length - 1, Math.floor(values.length * share))]!;
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function show({ median, min, max }: Spread): string {
  return `${digits(median)} (${digits(min)}–${digits(max)})`;
}

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join("  "),
  );
  lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("  "));
  return lines.join("\n");
}
