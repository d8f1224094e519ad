/** Fails the run when an object that its tests made is left in /dev/shm. */
import { afterAll } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { removeLeftovers } from "./support/names.ts";

afterAll(() => {
  const left = removeLeftovers();
  if (left.length > 0) {
    throw new Error(`The tests left objects in /dev/shm: ${left.join(", ")}`);
  }
});

/** Ends what the tests started: most of it works until it is killed. */
function killChildren(): void {
  for (const thread of readdirSync("/proc/self/task")) {
    const children = readFileSync(`/proc/self/task/${thread}/children`, "utf8").trim();
    for (const child of children.split(" ")) if (child !== "") process.kill(+child, "SIGKILL");
  }
}

// A run that is ended leaves nothing either.
process.on("SIGTERM", () => {
  killChildren();
  removeLeftovers();
  process.exit(143);
});
