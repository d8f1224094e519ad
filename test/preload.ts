/** Fails the run when an object that its tests made is left in /dev/shm. */
import { afterAll } from "bun:test";
import { unlinkSync } from "node:fs";
import { leftovers } from "./support/names.ts";

afterAll(() => {
  const left = leftovers();
  for (const file of left) unlinkSync(`/dev/shm/${file}`);
  if (left.length > 0) {
    throw new Error(`The tests left objects in /dev/shm: ${left.join(", ")}`);
  }
});
