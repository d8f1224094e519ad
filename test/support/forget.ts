/** What the garbage collector makes of mappings that nobody holds any more. */
import { readFileSync } from "node:fs";

/** How many are made and forgotten. */
const FORGOTTEN = 300;
/** How many of them a collector that scans the stack may take for used. */
export const SPARED = 5;

const mapped = (pattern: RegExp): number =>
  readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => pattern.test(line)).length;

/**
 * Makes and forgets many mappings, and collects until nearly all are gone or it has tried often.
 *
 * @param make Makes one, and keeps nothing of it.
 * @param pattern What their lines in /proc/self/maps match, and no others.
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
