/**
 * Adds to counters under a mutex, in a map and in a record, and writes what it counts to a ring,
 * each as often as an argument says.
 */
import {
  MessageQueue,
  Mutex,
  RingBuffer,
  Segment,
  SharedMap,
  SharedRecord,
  codecs,
  struct,
} from "../../src/index.ts";

const [name, times] = [process.argv[2]!, Number(process.argv[3])];
using segment = Segment.open(`${name}-mutex`);
using mutex = Mutex.at(segment, 0);
const words = new Int32Array(segment.buffer, Mutex.byteLength(), 1);
using map = SharedMap.open(`${name}-map`, { codec: codecs.number });
using record = SharedRecord.open(`${name}-record`, { codec: struct({ n: "f64" }) });
using queue = MessageQueue.open(`${name}-queue`);
using ring = RingBuffer.open(`${name}-ring`, { codec: codecs.utf8 });
using producer = ring.producer();
// Process ids are others' too, in other namespaces.
const me = crypto.randomUUID();
for (let time = 0; time < times; time++) {
  mutex.lock();
  words[0]!++;
  mutex.unlock();
  map.update("count", (count) => (count ?? 0) + 1);
  record.update((value) => ({ n: (value?.n ?? 0) + 1 }));
  producer.write(`${me} ${time}`);
  // A killed one takes the message along that it had in hand.
  if (time % 10 === 0) queue.tryEnqueue(queue.tryDequeue() ?? "another");
  // Whoever is killed has taken part before.
  if (time === 0) console.log("ready");
}
