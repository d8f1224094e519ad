/** Enqueues LABEL:0, LABEL:1 … until it is killed, and prints how far it got: NAME LABEL. */
import { writeSync } from "node:fs";
import { MessageQueue } from "../../src/index.ts";

const [name, label] = process.argv.slice(2);
const queue = MessageQueue.open(name!);
for (let number = 0; ; number++) {
  if (number === 0) writeSync(1, "ready\n");
  queue.enqueue(`${label}:${number}`);
}
