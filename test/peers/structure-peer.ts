/** The other process of a structure on any backing: ACTION NAME. */
import {
  RingBuffer,
  Segment,
  Semaphore,
  SharedMap,
  SharedRecord,
  codecs,
  struct,
} from "../../src/index.ts";

const [action, name = ""] = process.argv.slice(2);

if (action === "ring") {
  using ring = RingBuffer.open(name);
  using consumer = ring.consumer();
  let count = 0;
  let last = "";
  while (count < 500) {
    const record = consumer.take({ timeoutMs: 60_000 });
    if (record === undefined) break;
    last = new TextDecoder().decode(record);
    count++;
  }
  console.log(`${count} ${last}`);
} else if (action === "map") {
  using map = SharedMap.open(name, { codec: codecs.json() });
  if (map.get("key") !== undefined) map.set("answer", { from: "there" });
} else if (action === "record") {
  using segment = Segment.open(name);
  using record = SharedRecord.at(segment, 0, { codec: struct({ x: "f64", y: "f64" }) });
  const point = record.read();
  console.log(`${point?.x} ${point?.y}`);
} else if (action === "semaphore") {
  using segment = Segment.open(name);
  using semaphore = Semaphore.at(segment, 64);
  console.log(semaphore.wait({ timeoutMs: 60_000 }) ? "woken" : "timed out");
}
