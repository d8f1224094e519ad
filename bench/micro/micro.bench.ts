/** What single operations cost in one process, without contention. */
import { bench, do_not_optimize, group, run } from "mitata";
import { MessageQueue, Segment, Semaphore } from "../../src/index.ts";

const name = `/bench-micro-${process.pid}`;
const prefix = `${name}-queue`;

using segment = Segment.create(name, { size: 4096 });
using semaphore = Semaphore.create(name, { value: 0 });
using placed = Semaphore.init(segment, 64);
using queue = MessageQueue.create(prefix);
segment.unlink();
Semaphore.unlink(name);
queue.unlink();
const text = "x".repeat(255);

group("segment of 4 KiB", () => {
  bench("create, close, unlink", () => {
    const made = Segment.create(`${name}-made`, { size: 4096 });
    made.unlink();
    made.close();
  });
  const kept = `${name}-kept`;
  Segment.create(kept, { size: 4096 }).close();
  process.on("exit", () => Segment.unlink(kept));
  bench("open, close", () => Segment.open(kept).close());
  bench("view.getUint32", () => do_not_optimize(segment.view.getUint32(0, true)));
  bench("bytes[0]", () => do_not_optimize(segment.bytes[0]));
});
group("semaphore", () => {
  bench("named: post, wait", () => {
    semaphore.post();
    semaphore.wait();
  });
  bench("in a segment: post, wait", () => {
    placed.post();
    placed.wait();
  });
});
group("message queue", () => {
  bench("enqueue, dequeue of 11 bytes", () => {
    queue.enqueue("hello world");
    do_not_optimize(queue.dequeue());
  });
  bench("enqueue, dequeue of 255 bytes", () => {
    queue.enqueue(text);
    do_not_optimize(queue.dequeue());
  });
});

await run({ format: process.argv.includes("--json") ? "json" : "mitata" });
