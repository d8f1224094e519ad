/**
 * Holds the name "a", says so, and exits with 7 when it is stolen. Argument: the name of the locks.
 */
import { NamedLocks } from "../../src/index.ts";

using locks = NamedLocks.open(process.argv[2]!);
// Nothing else keeps the process alive, and no timer looks.
const alive = setInterval(() => {}, 1_000_000);
try {
  await locks.request("a", async () => {
    console.log("held");
    await new Promise(() => {});
  });
} catch (error) {
  process.exitCode = (error as Error).name === "AbortError" ? 7 : 1;
}
clearInterval(alive);
