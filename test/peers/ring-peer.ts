/** A ring's other side in the tests: MODE NAME [COUNT]. */
import { RingBuffer } from "../../src/index.ts";

const [mode = "", name = "", count = "0"] = process.argv.slice(2);
const ring = RingBuffer.open(name);

if (mode === "hold") {
  const consumer = ring.consumer();
  console.log("ready");
  setInterval(() => consumer.closed, 1000);
} else if (mode === "echo") {
  const consumer = ring.consumer({ strategy: "spin" });
  const producer = RingBuffer.open(`${name}-back`).producer();
  const answer = new Uint8Array(8);
  console.log("ready");
  for (;;) if (consumer.read(() => undefined, { limit: 1 }) > 0) producer.write(answer);
} else if (mode === "unref") {
  void ring.consumer().takeAsync({ ref: false });
} else if (mode.startsWith("join-")) {
  using consumer = ring.consumer();
  console.log("joined");
  let read = 0;
  let last = -1;
  let done = false;
  const check = (view: DataView, index: number): void => {
    const sequence = view.getUint32(index, true);
    if (sequence === 0xffffffff) {
      done = true;
      return;
    }
    if (sequence <= last) throw new Error(`Read ${sequence} after ${last}`);
    last = sequence;
    read++;
  };
  while (!done) {
    if (mode === "join-async") await consumer.readAsync(check);
    else consumer.read(check);
  }
  console.log(JSON.stringify({ read, lost: consumer.lost }));
} else {
  const total = Number(count);
  let next = 0;
  const check = (view: DataView, index: number, length: number): void => {
    const sequence = view.getUint32(index, true);
    if (sequence !== next || length !== 4 + ((sequence * 7) % 190)) {
      throw new Error(`Read record ${sequence} of ${length} bytes, expected ${next}`);
    }
    next++;
  };
  if (mode === "iterate") {
    using consumer = ring.consumer();
    for await (const record of consumer) {
      check(new DataView(record.buffer, record.byteOffset), 0, record.length);
      if (next === total) break;
    }
  } else if (mode === "async") {
    using consumer = ring.consumer();
    while (next < total) await consumer.readAsync(check);
  } else {
    using consumer = ring.consumer({ strategy: mode as "block" });
    while (next < total) consumer.read(check);
  }
  console.log(next);
}
