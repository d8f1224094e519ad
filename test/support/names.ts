/** Names for the objects that tests make, so that what is left over can be found. */
import { readdirSync, unlinkSync } from "node:fs";

const prefixOf = (processId: number): string => `bun-shm-test-${processId}-`;

/** Every object of this run starts so, its children's objects too: names are handed to them. */
export const TEST_PREFIX: string = prefixOf(process.pid);

let count = 0;

/** A name that no other test, run or process uses. */
export function uniqueName(label = "x"): string {
  return `/${TEST_PREFIX}${++count}-${label}`;
}

/** Files in /dev/shm that tests of a run made: segments, semaphores, and whatever else. */
export function leftovers(processId: number = process.pid): string[] {
  return readdirSync("/dev/shm").filter((file) => file.includes(prefixOf(processId)));
}

/** Removes what the tests of a run left. @returns What that was. */
export function removeLeftovers(processId: number = process.pid): string[] {
  const left = leftovers(processId);
  for (const file of left) unlinkSync(`/dev/shm/${file}`);
  return left;
}
