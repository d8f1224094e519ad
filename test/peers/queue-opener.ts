/** Opens or makes a queue once it has a line on stdin, and keeps it until stdin ends: NAME. */
import { MessageQueue } from "../../src/index.ts";

const name = process.argv[2]!;
const input = console[Symbol.asyncIterator]();
console.log("ready");
await input.next();
using queue = MessageQueue.openOrCreate(name);
queue.enqueue(String(process.pid));
console.log(queue.created ? "made" : "found");
await input.next();
