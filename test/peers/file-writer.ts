/** Writes all the time into structures in files, whose paths begin with an argument. */
import { RingBuffer, SharedMap, SharedRecord, codecs, struct } from "../../src/index.ts";

const prefix = process.argv[2]!;
const map = SharedMap.open(`file:${prefix}map`, { codec: codecs.utf8 });
const record = SharedRecord.open(`file:${prefix}record`, {
  codec: struct({ a: "f64", b: "f64" }),
});
const ring = RingBuffer.open(`file:${prefix}ring`, { codec: codecs.utf8 });
const producer = ring.producer();
const consumer = ring.consumer();
console.log("ready");
for (let round = 0; ; round++) {
  const key = `key ${round % 50}`;
  if (round % 7 === 0) map.delete(key);
  else map.update(key, () => "x".repeat(round % 300));
  record.update(() => ({ a: round, b: round }));
  producer.tryWrite(`record ${round}`);
  if (round % 3 === 0) consumer.tryTake();
}
