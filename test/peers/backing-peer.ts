/** What another process does with a segment of any backing: ACTION NAME … */
import { RingBuffer, Segment, SystemVSemaphore } from "../../src/index.ts";

const [action, name = "", argument = ""] = process.argv.slice(2);

/** Stays until it is killed. */
function stay(word = "ready"): void {
  console.log(word);
  setInterval(() => undefined, 1000);
}

if (action === "answer") {
  // Reads the word at 0, and answers at 4 with one more.
  using segment = Segment.open(name);
  segment.view.setUint32(4, segment.view.getUint32(0, true) + 1, true);
  console.log(`${segment.backing} ${segment.size} ${segment.sealed}`);
} else if (action === "lock") {
  const segment = Segment.open(name);
  const lock = segment.tryLock(Number(argument));
  stay(lock === undefined ? "taken" : "locked");
  // Both stay reachable, because the collector would close them otherwise.
  process.on("exit", () => (lock?.close(), segment.close()));
} else if (action === "produce") {
  const producer = RingBuffer.open(name).producer();
  stay();
  process.on("exit", () => producer.close());
} else if (action === "take-semaphore") {
  const semaphore = SystemVSemaphore.open(name, { undo: argument === "undo" });
  stay(semaphore.tryWait() ? "took" : "empty");
}
