/**
 * Several ways to do the same, measured in turns in one process: what moves the machine moves all of
 * them alike, and the ratio of neighbours counts.
 */
import { type Spread, spreadOf } from "./report.ts";

/** One way: `run` does it `count` times. */
export interface Variant {
  readonly count: number;
  run(count: number): void;
}

/** What was measured, by variant. */
export interface Measured<Name extends string> {
  /** In ns for each time. */
  readonly times: Readonly<Record<Name, Spread>>;
  /** How many times as long as the first variant beside it. */
  readonly ratios: Readonly<Record<Name, Spread>>;
}

/** One way whose calls are awaited one by one. */
export interface AsyncVariant {
  readonly count: number;
  run(count: number): Promise<void> | void;
}

/** Rounds before the first that counts, in which the engine compiles. */
const WARM_ROUNDS = 3;

/** Measures each variant once a round. */
export function measureInTurns<Name extends string>(
  variants: Readonly<Record<Name, Variant>>,
  rounds: number,
): Measured<Name> {
  const names = Object.keys(variants) as Name[];
  const times = noTimes(names);
  for (let round = -WARM_ROUNDS; round < rounds; round++) {
    for (const name of names) {
      const { count, run } = variants[name];
      const start = Bun.nanoseconds();
      run(count);
      if (round >= 0) times[name].push((Bun.nanoseconds() - start) / count);
    }
  }
  return summary(times);
}

/** Measures like `measureInTurns`, and awaits what a variant returns. */
export async function measureInTurnsAsync<Name extends string>(
  variants: Readonly<Record<Name, AsyncVariant>>,
  rounds: number,
): Promise<Measured<Name>> {
  const names = Object.keys(variants) as Name[];
  const times = noTimes(names);
  for (let round = -WARM_ROUNDS; round < rounds; round++) {
    for (const name of names) {
      const { count, run } = variants[name];
      const start = Bun.nanoseconds();
      await run(count);
      if (round >= 0) times[name].push((Bun.nanoseconds() - start) / count);
    }
  }
  return summary(times);
}

function noTimes<Name extends string>(names: readonly Name[]): Record<Name, number[]> {
  return Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
}

/** @param times In ns by variant, round by round. */
export function summary<Name extends string>(
  times: Readonly<Record<Name, readonly number[]>>,
): Measured<Name> {
  const names = Object.keys(times) as Name[];
  const first = times[names[0]!];
  const spreads = (of: (values: readonly number[]) => number[]): Record<Name, Spread> =>
    Object.fromEntries(names.map((name) => [name, spreadOf(of(times[name]))])) as Record<
      Name,
      Spread
    >;
  return {
    times: spreads((values) => [...values]),
    ratios: spreads((values) => values.map((value, at) => value / first[at]!)),
  };
}
