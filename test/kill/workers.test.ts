/** Workers that are terminated while they hold all that can be held: nothing is held afterwards. */
import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
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
import { SOAK } from "../support/kill.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";

const WORKER = join(import.meta.dir, "../peers/holding-worker.ts");
const ROUNDS = SOAK ? 1000 : 8;
const PATIENCE = { timeoutMs: 30_000 };

/** Starts a Worker, waits until it holds everything, and terminates it. */
async function terminateOne(name: string): Promise<void> {
  const worker = new Worker(WORKER, { workerData: name });
  const held = await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  expect(held).toBe(10);
  await worker.terminate();
}

/** Asks until the answer is yes: a thread needs a while to end after its Worker is gone. */
async function eventually(question: () => boolean): Promise<void> {
  while (!question()) await Bun.sleep(1);
}

const testOnLinux = testNeeding("threads that the kernel numbers", process.platform === "linux");

testOnLinux("what terminated Workers held is free for this process", async () => {
  const name = uniqueName("worker");
  using segment = Segment.create(`${name}-locks`, { size: 16384 });
  using mutex = Mutex.init(segment, 0);
  using written = RwLock.init(segment, 1024, { readers: 4 });
  using read = RwLock.init(segment, 4096, { readers: 4 });
  using lease = Lease.init(segment, 8192);
  using barrier = Barrier.init(segment, 9216, { parties: 2 });
  using spsc = RingBuffer.create(`${name}-spsc`, { capacity: 1024 });
  using mpsc = RingBuffer.create(`${name}-mpsc`, { kind: "mpsc", capacity: 1024 });
  using reader = mpsc.consumer();
  using block = RingBuffer.create(`${name}-block`, {
    kind: "broadcast",
    policy: "block",
    capacity: 1024,
  });
  using sender = block.producer();
  using queue = MessageQueue.create(`${name}-queue`);
  using locks = NamedLocks.create(`${name}-names`, { names: 5 });
  using map = SharedMap.create(`${name}-map`, { size: 1 << 16, codec: codecs.number });
  using record = SharedRecord.create(`${name}-record`, { codec: struct({ n: "f64" }) });
  let descriptors = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await terminateOne(name);

    {
      using guard = (await mutex.acquireAsync(PATIENCE))!;
      expect(guard.ownerDied).toBe(true);
    }
    {
      using guard = (await written.acquireWriteAsync(PATIENCE))!;
      expect(guard.ownerDied).toBe(true);
    }
    {
      using _ = (await read.acquireWriteAsync(PATIENCE))!;
    }
    expect(await locks.request("a", PATIENCE, (lock) => lock?.name)).toBe("a");
    {
      using _ = (await lease.acquireAsync(PATIENCE))!;
    }
    expect(await barrier.waitAsync(PATIENCE)).toBe("broken");
    barrier.reset();
    await eventually(() => spsc.hasProducer === false);
    {
      using producer = spsc.producer();
      using consumer = spsc.consumer();
      producer.write(new Uint8Array(3));
      expect(consumer.take()?.length).toBe(3);
    }
    {
      using producer = mpsc.producer();
      producer.write(new Uint8Array(5));
      expect((await reader.takeAsync(PATIENCE))?.length).toBe(5);
    }
    for (let sent = 0; sent < 40; sent++) sender.write(new Uint8Array(64), PATIENCE);
    expect(queue.enqueue("text", PATIENCE)).toBe(true);
    expect(await queue.dequeueAsync(PATIENCE)).toBe("text");
    map.set("key", round);
    expect(map.get("key")).toBe(round);
    record.write({ n: round });
    expect(record.read()?.n).toBe(round);

    // What nobody can ask for by a lock's word: bytes, users and descriptors.
    await eventually(() => {
      using lock = segment.tryLock(7);
      return lock !== undefined;
    });
    const now = readdirSync("/proc/self/fd").length;
    // The second round is the first in which this thread rings somebody, which takes a socket.
    if (round < 2) descriptors = now;
    expect(now).toBeLessThanOrEqual(descriptors);
  }
  for (const made of [spsc, mpsc, block, queue, locks, map, record]) {
    const { name: theirs } = made.segment;
    made.close();
    await eventually(() => !Segment.inUse(theirs));
    if (made instanceof MessageQueue) MessageQueue.unlink(theirs);
    else Segment.unlink(theirs);
  }
  segment.unlink();
});
