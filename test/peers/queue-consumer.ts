/** Prints what it dequeues, one a line, until it is killed: NAME. */
import { writeSync } from "node:fs";
import { MessageQueue } from "../../src/index.ts";

const queue = MessageQueue.open(process.argv[2]!);
writeSync(1, "ready\n");
for (;;) {
  const text = queue.dequeue();
  if (text !== undefined) writeSync(1, `${text}\n`);
}
