/** One side of the queue benchmark, like bench/queue/queue.c: receive|send|pong|ping NAME COUNT. */
import { writeSync } from "node:fs";
import { MessageQueue } from "../../src/index.ts";

const [role, name, digits] = process.argv.slice(2) as [string, string, string];
const count = Number(digits);
const text = "x".repeat(255);

function percentiles(trips: Float64Array): string {
  trips.sort();
  const at = (part: number): number => trips[Math.floor(trips.length * part)]! * 1e3;
  return JSON.stringify({ p50Us: at(0.5), p99Us: at(0.99) });
}

if (role === "send") {
  using queue = MessageQueue.open(name);
  for (let done = 0; done < count; done++) queue.enqueue(text);
} else if (role === "receive") {
  using queue = MessageQueue.create(name);
  writeSync(1, "ready\n");
  queue.dequeue();
  const start = performance.now();
  for (let done = 1; done < count; done++) queue.dequeue();
  const seconds = (performance.now() - start) / 1e3;
  writeSync(1, `${JSON.stringify({ perSecond: (count - 1) / seconds })}\n`);
  queue.unlink();
} else if (role === "pong") {
  using a = MessageQueue.create(`${name}-a`);
  using b = MessageQueue.create(`${name}-b`);
  writeSync(1, "ready\n");
  for (let done = 0; done < count; done++) b.enqueue(a.dequeue()!);
  a.unlink();
  b.unlink();
} else {
  using a = MessageQueue.open(`${name}-a`);
  using b = MessageQueue.open(`${name}-b`);
  const trips = new Float64Array(count);
  for (let done = 0; done < count; done++) {
    const start = performance.now();
    a.enqueue(text);
    b.dequeue();
    trips[done] = performance.now() - start;
  }
  writeSync(1, `${percentiles(trips)}\n`);
}
