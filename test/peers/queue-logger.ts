/** Uses a queue NAME with a logger that throws, and prints what became of the calls. */
import { mkdirSync, rmdirSync } from "node:fs";
import { MessageQueue } from "../../src/index.ts";
import { COUNT_WORD } from "../../src/layout/message-queue-layout.ts";

const name = process.argv[2]!;
process.on("uncaughtException", ({ message }) => console.log("uncaught:", message));
// A directory where libc would keep a semaphore: it is made in the segment instead, and logged.
const obstacle = `/dev/shm/sem.${name.slice(1)}_items`;
mkdirSync(obstacle);
let call = "create";
const logger = (): never => {
  throw new Error(`from ${call}`);
};
const queue = MessageQueue.create(name, { logger });
rmdirSync(obstacle);
console.log("created", queue.synchronization);
for (const text of ["a", "b"]) queue.enqueue(text);
new Int32Array(queue.segment.buffer, 0, 5)[COUNT_WORD] = 1;
call = "dequeue";
console.log("took", queue.dequeue());
queue.unlink();
queue.close();
