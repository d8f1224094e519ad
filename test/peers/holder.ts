/** Holds a lock or role of each kind, prints "ready", and stays. Usage: holder PREFIX. */
import {
  Barrier,
  Lease,
  MessageQueue,
  Mutex,
  NamedLocks,
  RingBuffer,
  RwLock,
  Segment,
  SharedMap,
  codecs,
} from "../../src/index.ts";

const [, , prefix = ""] = process.argv;
const kept: unknown[] = [];

const mutex = Mutex.create(`${prefix}-mutex`);
mutex.lock();
const reading = RwLock.create(`${prefix}-reading`);
reading.lockRead();
const writing = RwLock.create(`${prefix}-writing`);
writing.lockWrite();
const barrier = Barrier.create(`${prefix}-barrier`, { parties: 2 });
void barrier.waitAsync();
const lease = Lease.create(`${prefix}-lease`);
const locks = NamedLocks.create(`${prefix}-locks`, { names: 5 });
void locks.request("a", () => new Promise(() => {}));
kept.push(lease.tryAcquire());
const ring = RingBuffer.create(`${prefix}-ring`);
kept.push(ring.producer(), ring.consumer());
kept.push(MessageQueue.create(`${prefix}-queue`));
const segment = Segment.create(`${prefix}-raw`, { size: 8192 });
const inside = Mutex.init(segment, 1024);
inside.lock();
kept.push(segment.tryLock(77));
const map = SharedMap.create(`${prefix}-map`, { size: 2 ** 16, codec: codecs.number });
map.update("key", () => {
  // It holds the stripe of the key for good.
  process.stdout.write("ready\n");
  for (;;) Bun.sleepSync(1000);
});
console.log(kept.length);
