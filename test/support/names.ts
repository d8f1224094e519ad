/** Names for the objects that tests make, by which leftovers can be found. */
import { readdirSync, unlinkSync } from "node:fs";

const prefixOf = (processId: number): string => `bun-shm-test-${processId}-`;

/**
 * The start of every object's name in this run, and in its children, which get their names here.
 */
export const TEST_PREFIX: string = prefixOf(process.pid);

let count = 0;

/** A name that no other test, run or process uses. */
export function uniqueName(label = "x"): string {
  return `/${TEST_PREFIX}${++count}-${label}`;
}

/** The files in /dev/shm that the tests of a run made. */
export function leftovers(processId: number = process.pid): string[] {
  return readdirSync("/dev/shm").filter((file) => file.includes(prefixOf(processId)));
}

/** Removes what the tests of a run left behind. @returns The files. */
export function removeLeftovers(processId: number = process.pid): string[] {
  const left = leftovers(processId);
  for (const file of left) unlinkSync(`/dev/shm/${file}`);
  return left;
}
