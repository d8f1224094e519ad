/**
 * One of many: ROLE NAME …. A `producer` (NUMBER) writes to an MPSC ring until it is killed, and a
 * `consumer` (COUNT) reads a broadcast ring; both say "ready" first.
 */
import { RingBuffer } from "../../src/index.ts";

const [role = "", name = "", number = "0"] = process.argv.slice(2);
const payload = new Uint8Array(64);
using ring = RingBuffer.open(name, { waitMs: 10_000 });

function produce(): void {
  const producer = ring.producer();
  console.log("ready");
  for (;;) producer.write(payload, { type: Number(number) });
}

function consume(count: number): void {
  const consumer = ring.consumer({ strategy: "adaptive" });
  console.log("ready");
  let sum = 0;
  const handler = (view: DataView, index: number): void => {
    sum += view.getUint32(index, true);
  };
  for (let read = 0; read < count;) read += consumer.read(handler, { timeoutMs: 1000 });
  console.log(String(sum));
}

if (role === "producer") produce();
else consume(Number(number));
