/**
 * Waits for messages of a queue NAME: alone, for one that never comes, in a way that does not keep
 * the process alive; with "behind", also for a second one, in a way that does.
 */
import { MessageQueue } from "../../src/index.ts";

const [, , name, second] = process.argv;
const queue = MessageQueue.open(name!);
const first = queue.dequeueAsync({ ref: false });
if (second === undefined) void queue.dequeueAsync({ ref: false, timeoutMs: 3_600_000 });
console.log("waiting");
if (second === "behind") {
  using answers = MessageQueue.open(`${name!}-answers`);
  const waiting = queue.dequeueAsync();
  answers.enqueue("waiting");
  console.log(await first, await waiting);
}
