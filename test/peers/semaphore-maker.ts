/** Makes semaphores in the ways that tests ask for: HOW NAME. */
import { closeSync, openSync, readdirSync } from "node:fs";
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
} else if (how === "poor") {
  // Waits with few free descriptors: the third argument says how many.
  const semaphore = Semaphore.create(name);
  semaphore.unlink();
  const used: number[] = [];
  const use = (): boolean => {
    try {
      return used.push(openSync("/dev/null", "r")) > 0;
    } catch {
      return false;
    }
  };
  while (use());
  for (let free = Number(process.argv[4]); free > 0; free--) closeSync(used.pop()!);
  const outcome = await semaphore.waitAsync({ timeoutMs: 5 }).catch((error) => error.code);
  for (const descriptor of used) closeSync(descriptor);
  console.log(outcome, await semaphore.waitAsync({ timeoutMs: 5 }));
} else {
  // Makes and removes one, again and again, for others to see its mode.
  process.umask(0o077);
  for (let round = 0; round < 3000; round++) {
    Semaphore.create(name, { mode: 0o666 }).close();
    Semaphore.unlink(name);
  }
}
