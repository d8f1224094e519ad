/** Waits for a message that never comes, in a way that does not keep the process alive: NAME. */
import { MessageQueue } from "../../src/index.ts";

const queue = MessageQueue.open(process.argv[2]!);
void queue.dequeueAsync({ ref: false });
void queue.dequeueAsync({ ref: false, timeoutMs: 3_600_000 });
console.log("waiting");
