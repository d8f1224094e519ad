/**
 * Awaits what others do a little later: the gate bundles and compiles this. Without a top-level
 * await, which a bundle of bytecode does not take.
 */
import {
  Barrier,
  Lease,
  MessageQueue,
  Mutex,
  RingBuffer,
  RwLock,
  Segment,
  Semaphore,
  SharedEvent,
  SharedRecord,
  codecs,
  struct,
} from "bun-shm";

async function queues(name: string): Promise<readonly unknown[]> {
  using semaphore = Semaphore.create(name, { value: 0 });
  using queue = MessageQueue.create(`${name}-queue`);
  setTimeout(() => {
    semaphore.post();
    queue.enqueue("late");
  }, 50);
  const answers = await Promise.all([semaphore.waitAsync(), queue.dequeueAsync()]);
  Semaphore.unlink(name);
  queue.unlink();
  return answers;
}

async function rings(name: string): Promise<readonly unknown[]> {
  const answers: unknown[] = [];
  for (const kind of ["spsc", "mpsc", "broadcast"] as const) {
    using ring = RingBuffer.create(name, { kind, codec: codecs.utf8 });
    using producer = ring.producer();
    using consumer = ring.consumer();
    setTimeout(() => producer.write(kind), 50);
    answers.push(await consumer.takeAsync());
    ring.unlink();
  }
  return answers;
}

async function locks(name: string): Promise<readonly unknown[]> {
  using segment = Segment.create(name, { size: 1 << 16 });
  using mutex = Mutex.init(segment, 0);
  using lock = RwLock.init(segment, 4096, { readers: 4 });
  using event = SharedEvent.init(segment, 16384, { reset: "auto" });
  using barrier = Barrier.init(segment, 32768, { parties: 1 });
  using lease = Lease.openOrCreate(`${name}-lease`);
  using guard = await mutex.acquireAsync();
  using writer = await lock.acquireWriteAsync();
  using term = await lease.acquireAsync();
  setTimeout(() => event.set(), 50);
  const answers = [await event.waitAsync(), await barrier.waitAsync()];
  segment.unlink();
  lease.unlink();
  return [...answers, ...[guard, writer, term].map((held) => held !== undefined)];
}

async function records(name: string): Promise<readonly unknown[]> {
  using record = SharedRecord.create(name, { codec: struct({ x: "u32" }), initial: { x: 1 } });
  setTimeout(() => record.write({ x: 2 }), 50);
  const changed = await record.waitChangedAsync();
  record.unlink();
  return [changed, record.read()?.x];
}

async function main(prefix: string): Promise<void> {
  const answers = [queues, rings, locks, records].map((wait) => wait(`${prefix}-${wait.name}`));
  console.log((await Promise.all(answers)).join(" "));
}

void main(process.argv[2]!);
