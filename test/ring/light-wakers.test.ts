/** Sides of a ring that wake each other without a fence of their own (waiting/event-count.ts). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { RingBuffer, type RingOptions, codecs } from "../../src/index.ts";
import {
  CONSUMER_POSITION_OFFSET,
  DATA_WAIT_POINT_OFFSET,
  PRODUCER_BYTES_OFFSET,
  PRODUCER_POSITION_OFFSET,
  PRODUCER_RECORDS_LOW_OFFSET,
  PRODUCER_RECORDS_OFFSET,
} from "../../src/layout/ring-layout.ts";
import { BLOCKED, FENCE } from "../../src/layout/wait-point-layout.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { BUN, C_COMPILER, type Child, compileC, finished } from "../support/process.ts";

setDefaultTimeout(300_000);

const COUNT = 3000;
const PEER = "test/peers/ring-peer.ts";
const WRITER = "test/peers/ring-writer.ts";

/** Runs a command whose calls of membarrier are refused; undefined where that cannot be. */
function launcher(): string | undefined {
  if (C_COMPILER === undefined) return undefined;
  const program = compileC("test/peers/no-membarrier.c");
  return Bun.spawnSync([program, Bun.which("true")!]).exitCode === 0 ? program : undefined;
}

const LAUNCHER = launcher();
const testRefused = testNeeding("a C compiler, and filters", LAUNCHER !== undefined);

/** Starts a Bun program whose calls of membarrier are refused. */
function start(...args: string[]): Child {
  return Bun.spawn([LAUNCHER!, BUN, ...args], { stdio: ["pipe", "pipe", "pipe"] }) as Child;
}

/** Writes what ring-peer.ts reads; sleeps now and then, so that its reader does too. */
async function write(ring: RingBuffer): Promise<void> {
  using producer = ring.producer();
  for (let number = 0; number < COUNT; number++) {
    const record = new Uint8Array(4 + ((number * 7) % 190));
    new DataView(record.buffer).setUint32(0, number, true);
    producer.write(record, { timeoutMs: 60_000 });
    if (number % 10 === 9) await Bun.sleep(0);
    if (number % 500 === 499) await Bun.sleep(5);
  }
}

const KINDS: Record<string, Pick<RingOptions<unknown>, "kind" | "policy">> = {
  spsc: { kind: "spsc" },
  mpsc: { kind: "mpsc" },
  broadcast: { kind: "broadcast", policy: "block" },
};

// Readers of a broadcast join when they like, and do not get what was written before.
describe.each(["spsc", "mpsc"])("where membarrier is refused, %s", (name) => {
  const kind = KINDS[name]!;
  for (const mode of ["block", "async"]) {
    testRefused(`a consumer that waits (${mode}) tells its producer to fence`, async () => {
      using ring = RingBuffer.create(uniqueName("light"), { capacity: 4096, ...kind });
      const child = start(PEER, mode, ring.segment.name, String(COUNT));
      await write(ring);
      const { exitCode, stdout, stderr } = await finished(child);
      expect([exitCode, stdout, stderr]).toEqual([0, `${COUNT}\n`, ""]);
      const words = new Int32Array(ring.segment.buffer);
      expect(words[DATA_WAIT_POINT_OFFSET >> 2]! & FENCE).toBe(FENCE);
      expect(ring.stats().wakes).toBeGreaterThan(5);
      ring.unlink();
    });
  }

  testRefused("a producer fences itself", async () => {
    const options = { capacity: 4096, codec: codecs.utf8, ...kind };
    using ring = RingBuffer.create(uniqueName("light"), options);
    using consumer = ring.consumer();
    const child = start(WRITER, ring.segment.name, String(COUNT));
    for (let number = 0; number < COUNT; number++) {
      expect(await consumer.takeAsync()).toBe(String(number));
    }
    expect((await finished(child)).exitCode).toBe(0);
    ring.unlink();
  });
});

test.each(Object.keys(KINDS))("whoever waits is woken by the first record: %s", async (name) => {
  using ring = RingBuffer.create(uniqueName("light"), { capacity: 4096, ...KINDS[name] });
  using producer = ring.producer();
  const peer = Bun.spawn([BUN, PEER, "block", ring.segment.name, "100"]);
  const words = new Int32Array(ring.segment.buffer);
  for (let number = 0; number < 100; number++) {
    // It sleeps, or is about to.
    while ((Atomics.load(words, DATA_WAIT_POINT_OFFSET >> 2) & BLOCKED) === 0) await Bun.sleep(0);
    const record = new Uint8Array(4 + ((number * 7) % 190));
    new DataView(record.buffer).setUint32(0, number, true);
    producer.tryWrite(record);
  }
  expect(await peer.exited).toBe(0);
  ring.unlink();
});

test("the counters go on over 2^32 records and bytes", () => {
  using ring = RingBuffer.create(uniqueName("light"), { capacity: 1024 });
  const records = 3 * 2 ** 32 - 10;
  const bytes = 5 * 2 ** 32 - 2 ** 10;
  const words = new Int32Array(ring.segment.buffer);
  const counters = new Float64Array(ring.segment.buffer);
  counters[PRODUCER_RECORDS_OFFSET >> 3] = records;
  counters[PRODUCER_BYTES_OFFSET >> 3] = bytes;
  words[PRODUCER_RECORDS_LOW_OFFSET >> 2] = records | 0;
  words[PRODUCER_POSITION_OFFSET >> 2] = bytes | 0;
  words[CONSUMER_POSITION_OFFSET >> 2] = bytes | 0;
  using producer = ring.producer();
  using consumer = ring.consumer();
  for (let written = 1; written <= 100; written++) {
    expect(producer.tryWrite(new Uint8Array(24))).toBe(true);
    expect(ring.stats().in).toBe(records + written);
    expect(consumer.tryRead(() => undefined)).toBe(1);
  }
  // 32 bytes each; the ring's end is a multiple of that.
  expect(ring.stats().bytesIn).toBe(bytes + 3200);
  ring.unlink();
});
