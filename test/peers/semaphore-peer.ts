/** Waits on semaphores in the ways that tests ask for: HOW NAME. */
import { Semaphore } from "../../src/index.ts";

const [how, name] = process.argv.slice(2) as [string, string];
using semaphore = Semaphore.open(name);
if (how === "post") {
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
