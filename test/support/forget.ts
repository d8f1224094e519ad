/** How the garbage collector treats mappings that nobody refers to any more. */
import { readFileSync } from "node:fs";

/** How many mappings are made and forgotten. */
const FORGOTTEN = 300;
/** How many of them may survive, because the collector scans the stack conservatively. */
export const SPARED = 5;

const mapped = (pattern: RegExp): number =>
  readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => pattern.test(line)).length;

/**
 * Makes and forgets many mappings, and collects garbage until nearly all of them are unmapped, or
 * it has tried often enough.
 *
 * @param make Makes one mapping, and keeps no reference to it.
 * @param pattern Matches their lines in /proc/self/maps, and no others.
 * @returns How many are left.
 */
export async function forgetMany(make: () => void, pattern: RegExp): Promise<number> {
  make();
  if (mapped(pattern) === 0) throw new Error(`No mapping matches ${String(pattern)}`);
  for (let count = 1; count < FORGOTTEN; count++) make();
  for (let turn = 0; turn < 500 && mapped(pattern) > SPARED; turn++) {
    Bun.gc(true);
    await Bun.sleep(1);
  }
  return mapped(pattern);
}
