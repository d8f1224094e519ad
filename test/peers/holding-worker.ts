/** A Worker that takes everything that one can hold, says so, and stays until it is terminated. */
import { parentPort, workerData } from "node:worker_threads";
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
  SharedRecord,
  codecs,
  struct,
} from "../../src/index.ts";

const name = workerData as string;
const segment = Segment.open(`${name}-locks`);
const kept: unknown[] = [
  Mutex.at(segment, 0).lock(),
  RwLock.at(segment, 1024).lockWrite(),
  RwLock.at(segment, 4096).lockRead(),
  Lease.at(segment, 8192).tryAcquire(),
  segment.tryLock(7),
  RingBuffer.open(`${name}-spsc`).producer(),
  RingBuffer.open(`${name}-spsc`).consumer(),
  RingBuffer.open(`${name}-mpsc`).producer().tryClaim(8),
  RingBuffer.open(`${name}-block`).consumer(),
  MessageQueue.open(`${name}-queue`),
];
void NamedLocks.open(`${name}-names`).request("a", () => new Promise(() => {}));
void Barrier.at(segment, 9216).waitAsync();
const map = SharedMap.open(`${name}-map`, { codec: codecs.number });
const record = SharedRecord.open(`${name}-record`, { codec: struct({ n: "f64" }) });
record.update((value) => {
  map.update("key", (count) => {
    parentPort!.postMessage(kept.length);
    while (Math.random() >= 0);
    return count;
  });
  return value ?? { n: 0 };
});
