/** Waits on semaphores in the ways that tests ask for: HOW NAME. */
import { Semaphore } from "../../src/index.ts";

const [how, name] = process.argv.slice(2) as [string, string];
// It is not closed by `using`, which would end the waits under test at the end of the module.
const semaphore = Semaphore.open(name, { waitMs: how === "await" ? 30_000 : 0 });
if (how === "await") {
  console.log(semaphore.value);
} else if (how === "unref") {
  // Neither anything else nor the waits, with and without a timer, keep this process alive.
  void semaphore.waitAsync({ ref: false });
  void semaphore.waitAsync({ ref: false, timeoutMs: 3_600_000 });
  console.log("waiting");
} else if (how === "mixed") {
  const waits = [semaphore.waitAsync({ ref: false }), semaphore.waitAsync()];
  console.log((await Promise.all(waits)).join(" "));
} else if (how === "post") {
  semaphore.post();
} else if (how === "async") {
  // Nothing else keeps this process alive; it must end by itself afterwards.
  console.log("waiting");
  console.log(await semaphore.waitAsync());
} else if (how === "exit") {
  void semaphore.waitAsync().catch(() => {});
  setTimeout(() => process.exit(3), 20);
} else if (how === "signal") {
  process.on("SIGINT", () => {
    console.log("handled");
    process.exit(0);
  });
  semaphore.post();
  await Bun.sleep(200);
  while (!semaphore.wait({ timeoutMs: 100 })) await Bun.sleep(0);
}
