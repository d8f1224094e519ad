/**
 * Makes a queue NAME slowly: prints "making", and finishes it 1.5 seconds later, longer than an
 * opener waits for a maker of whom nobody knows. With "dies" it dies before that.
 */
import { MessageQueue } from "../../src/index.ts";
import { MAGIC_WORD, VERSION_WORD } from "../../src/layout/message-queue-layout.ts";
import { MAKING } from "../../src/layout/making.ts";
import { store, wordsOf } from "../../src/memory/atomics.ts";

const [, , name, how] = process.argv;
const queue = MessageQueue.create(name!, { synchronization: "segment" });
const words = wordsOf(queue.segment.buffer);
const [magic, version] = [words[MAGIC_WORD]!, words[VERSION_WORD]!];
store(words, MAGIC_WORD, 0);
store(words, VERSION_WORD, MAKING);
console.log("making");
if (how === "dies") process.kill(process.pid, "SIGKILL");
Bun.sleepSync(1500);
store(words, VERSION_WORD, version);
store(words, MAGIC_WORD, magic);
queue.enqueue("finished");
await process.stdin.once("end", () => queue.close()).resume();
