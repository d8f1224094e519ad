/** Names for the objects that tests make, so that what is left over can be found. */
import { readdirSync } from "node:fs";

/** Every object of this run starts so, its children's objects too: names are handed to them. */
export const TEST_PREFIX: string = `bun-shm-test-${process.pid}-`;

let count = 0;

/** A name that no other test, run or process uses. */
export function uniqueName(label = "x"): string {
  return `/${TEST_PREFIX}${++count}-${label}`;
}

/** Files in /dev/shm that tests of this run made: segments, semaphores, and whatever else. */
export function leftovers(): string[] {
  return readdirSync("/dev/shm").filter((file) => file.includes(TEST_PREFIX));
}
