/** A consumer that waits for a record that never comes: NAME MODE. */
import { RingBuffer } from "../../src/index.ts";

const [name = "", mode] = process.argv.slice(2);
const consumer = RingBuffer.open(name).consumer();
console.log("waiting");
if (mode === "async") await consumer.waitAsync();
else consumer.wait();
