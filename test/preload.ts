/** Fails the run when an object that its tests made is left in /dev/shm. */
import { afterAll, setDefaultTimeout } from "bun:test";
import { unlinkSync } from "node:fs";
import { leftovers } from "./support/names.ts";

// A watchdog for tests that hang, and no limit on their speed.
setDefaultTimeout(300_000);

afterAll(() => {
  const left = leftovers();
  for (const file of left) unlinkSync(`/dev/shm/${file}`);
  if (left.length > 0) {
    throw new Error(`The tests left objects in /dev/shm: ${left.join(", ")}`);
  }
});
