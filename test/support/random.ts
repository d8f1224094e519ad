/** Repeatable randomness: the seed is printed, and BUN_SHM_SEED sets it. */

/** A generator of numbers in [0, 1) (mulberry32). */
export type Random = (() => number) & { readonly seed: number };

/** Source: mulberry32, Tommy Ettinger, public domain. */
export function seededRandom(label: string): Random {
  const seed = Number(process.env["BUN_SHM_SEED"] ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  console.log(`${label}: BUN_SHM_SEED=${seed}`);
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.assign(next, { seed });
}
