/** Makes semaphores in the ways that tests ask for: HOW NAME. */
import { readdirSync } from "node:fs";
import { Semaphore } from "../../src/index.ts";

const [how, name] = process.argv.slice(2) as [string, string];
if (how === "many") {
  // Prints by how many threads the waits of 1,000 handles were served, and how many got a token.
  const threads = (): number => readdirSync("/proc/self/task").length;
  const before = threads();
  const semaphores = Array.from({ length: 1000 }, (_, at) => Semaphore.create(`${name}-${at}`));
  for (const semaphore of semaphores) Semaphore.unlink(semaphore.name);
  const waits = semaphores.map((semaphore) => semaphore.waitAsync());
  await Bun.sleep(100);
  const during = threads();
  for (const semaphore of semaphores) semaphore.post();
  const tokens = (await Promise.all(waits)).filter(Boolean).length;
  console.log(during - before, tokens);
} else {
  // Makes and removes one, again and again, for others to see its mode.
  process.umask(0o077);
  for (let round = 0; round < 3000; round++) {
    Semaphore.create(name, { mode: 0o666 }).close();
    Semaphore.unlink(name);
  }
}
