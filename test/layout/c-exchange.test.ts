/** C programs on include/bun_shm.h, and Bun on the other side of the ring. */
import { afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { constants } from "node:os";
import * as layout from "../../src/layout/ring-layout.ts";
import { BELL } from "../../src/layout/wait-point-layout.ts";
import { SEGMENT_HEADER } from "../../src/layout/segment-header.ts";
import { LayoutError, RingBuffer, Segment } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { titleNeeding } from "../support/needs.ts";
import {
  C_COMPILER,
  type Child,
  type Outcome,
  compileC,
  finished,
  spawnBun,
} from "../support/process.ts";
import { seededRandom } from "../support/random.ts";
import { outputUntil } from "../support/shm.ts";

// A watchdog, and no limit on speed. The preload's holds for the first file of a run alone.
setDefaultTimeout(300_000);

const LAYOUT_HASH_OFFSET = SEGMENT_HEADER.fields.find(({ name }) => name === "layout_hash")!.offset;
const PEER = "test/peers/c-ring-peer.ts";
const RECORDS = 1_000_000;
const names: string[] = [];
const started: Child[] = [];

function fresh(): string {
  const name = uniqueName("c");
  names.push(name);
  return name;
}

/** The compiled programs. */
const programs: Record<string, string> = {};

function spawnC(program: string, ...args: (string | number)[]): Child {
  const child: Child = Bun.spawn([programs[program]!, ...args.map(String)], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  started.push(child);
  return child;
}

function spawnPeer(mode: string, ...args: (string | number)[]): Child {
  const child = spawnBun(PEER, mode, ...args.map(String));
  started.push(child);
  return child;
}

/** What both programs say at the end: how many records, and the checksum of their bytes. */
function summary({ exitCode, signal, stdout, stderr }: Outcome): string {
  if (exitCode === 0) return stdout.trim().split("\n").at(-1)!;
  throw new Error(`Ended with ${exitCode ?? signal}.\n${stdout}${stderr}`);
}

/** Waits until the children are done, and that they saw the same records. */
async function agree(count: number, ...children: Child[]): Promise<void> {
  const summaries = (await Promise.all(children.map((child) => finished(child)))).map(summary);
  expect(summaries[0]).toStartWith(`${count} `);
  expect(new Set(summaries).size).toBe(1);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  for (const name of names.splice(0)) Segment.unlink(name);
});

const isThere = C_COMPILER !== undefined;
describe.skipIf(!isThere)(titleNeeding("bun_shm.h", "a C compiler", isThere), () => {
  beforeAll(() => {
    for (const program of ["ring_producer", "ring_consumer"]) {
      programs[program] = compileC(`test/peers/c/${program}.c`, ["-std=c11"]);
    }
  });

  for (const [mode, batch] of [["block", 1] as const, ["async", 32] as const]) {
    test(`a C producer (batch ${batch}) and a Bun consumer (${mode}): a million records`, async () => {
      const name = fresh();
      using ring = RingBuffer.create(name, { capacity: 1 << 16 });
      const consumer = spawnPeer(mode, name, 0, RECORDS);
      const producer = spawnC("ring_producer", name, 0, RECORDS, batch, 0);
      await agree(RECORDS, producer, consumer);
      expect(ring.stats()).toMatchObject({ in: RECORDS, out: RECORDS, depth: 0 });
    });
  }

  for (const [mode, batch] of [["peek", 1] as const, ["read", 32] as const]) {
    test(`a Bun producer (batch ${batch}) and a C consumer (${mode}): a million records`, async () => {
      const name = fresh();
      using ring = RingBuffer.create(name, { capacity: 1 << 16 });
      const consumer = spawnC("ring_consumer", name, RECORDS, mode);
      const producer = spawnPeer("produce", name, 0, RECORDS, batch);
      await agree(RECORDS, producer, consumer);
      expect(ring.stats()).toMatchObject({ in: RECORDS, out: RECORDS, depth: 0 });
    });
  }

  test("a C producer and a C consumer, in a ring that C made", async () => {
    const name = fresh();
    const producer = spawnC("ring_producer", name, 0, 100_000, 1, 0, 4096);
    await until(() => Segment.exists(name));
    await agree(100_000, producer, spawnC("ring_consumer", name, 100_000, "read"));
    using ring = RingBuffer.open(name);
    expect(ring.capacity).toBe(4096);
    expect(ring.stats().out).toBe(100_000);
  });

  test("Bun wakes a C consumer that sleeps", async () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { capacity: 4096 });
    const consumer = spawnC("ring_consumer", name, 300, "read");
    await agree(300, spawnPeer("produce", name, 0, 300, 1, 3), consumer);
    expect(ring.stats().waits).toBeGreaterThan(0);
    expect(ring.stats().wakes).toBeGreaterThan(0);
  });

  test("C wakes a Bun consumer that waits in its event loop", async () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { capacity: 4096 });
    const consumer = spawnPeer("async", name, 0, 300);
    await agree(300, spawnC("ring_producer", name, 0, 300, 1, 3), consumer);
    expect(ring.stats().waits).toBeGreaterThan(0);
    expect(ring.stats().wakes).toBeGreaterThan(0);
  });

  test("C forgets the doorbell of a Bun consumer that was killed", async () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { capacity: 1 << 16 });
    const state = new Int32Array(ring.segment.buffer, layout.DATA_WAIT_POINT_OFFSET, 1);
    const bells = new Int32Array(ring.segment.buffer, layout.DATA_WAIT_POINT_OFFSET + 4, 31);
    const consumer = spawnPeer("async", name, 0, 10);
    // The flag comes after the id: killed in between, it would be nobody's business to ring.
    await until(() => (Atomics.load(state, 0) & BELL) !== 0);
    consumer.kill("SIGKILL");
    await consumer.exited;
    await finished(spawnC("ring_producer", name, 0, 10, 1, 0));
    expect([...bells].filter((id) => id !== 0)).toEqual([]);
    expect(ring.stats().in).toBe(10);
  });

  test("a C producer that is killed is replaced, and nothing published is lost", async () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { capacity: 1 << 14 });
    using consumer = ring.consumer();
    let next = 0;
    const check = (view: DataView, index: number, length: number, type: number): void => {
      const sequence = view.getUint32(index, true);
      if (sequence !== next || length !== 4 + ((next * 7) % 190) || type !== (next & 0xff)) {
        throw new Error(`Found record ${sequence} in the place of ${next}`);
      }
      next++;
    };
    const random = seededRandom("kill C producers");
    for (let round = 0; round < 20; round++) {
      const before = next;
      const producer = spawnC("ring_producer", name, next, 0xffffffff, 1 + (round % 3) * 7, 0);
      await until(() => consumer.tryRead(check) > 0);
      const end = performance.now() + random() * 20;
      while (performance.now() < end) consumer.tryRead(check);
      producer.kill("SIGKILL");
      await producer.exited;
      while (consumer.tryRead(check) > 0);
      expect(next).toBeGreaterThan(before);
    }
  });

  test("roles exclude each other between C and Bun", async () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { capacity: 4096 });
    using producer = ring.producer();
    using consumer = ring.consumer();
    expect([producer.closed, consumer.closed]).toEqual([false, false]);
    for (const [program, ...args] of [
      ["ring_producer", 0, 1, 1, 0] as const,
      ["ring_consumer", 1, "read"] as const,
    ]) {
      const { exitCode, stderr } = await finished(spawnC(program, name, ...args));
      expect(exitCode).toBe(2);
      expect(stderr).toContain("a live process has that role");
    }
  });

  test.each(["producer", "consumer"] as const)(
    "a C thread that ends gives the role of the %s up, and has it once",
    async (role) => {
      const name = fresh();
      using ring = RingBuffer.create(name, { capacity: 4096 });
      programs["ring_role"] ??= compileC("test/peers/c/ring_role.c", ["-std=gnu11"]);
      const child = spawnC("ring_role", name, role);
      expect(await outputUntil(child, "ended")).toBe(`0 ${-constants.errno.EBUSY}\nended\n`);
      // Who joins a thread goes on an instant before the kernel has forgotten it.
      const once = async <T>(take: () => T): Promise<T> => {
        for (;;) {
          try {
            return take();
          } catch (error) {
            if ((error as { code?: string }).code !== "EBUSY") throw error;
            await Bun.sleep(1);
          }
        }
      };
      using producer = await once(() => ring.producer());
      using consumer = await once(() => ring.consumer());
      producer.write(Uint8Array.of(7));
      expect(consumer.tryTake()).toEqual(Uint8Array.of(7));
      expect(child.exitCode).toBeNull();
    },
  );

  test("C says why it cannot open or make a ring", async () => {
    const say = async (name: string, ...more: number[]): Promise<string> =>
      (await finished(spawnC("ring_producer", name, 0, 1, 1, 0, ...more))).stderr.trim();
    expect(await say(fresh())).toEndWith("No such file or directory");

    const foreign = fresh();
    using segment = Segment.create(foreign, { size: 4096 });
    segment.bytes.fill(0x41);
    expect(await say(foreign)).toEndWith("it is no structure of bun-shm");
    expect(await say(foreign, 4096)).toEndWith("File exists");
    expect(await say(fresh(), 4095)).toEndWith("Invalid argument");

    using mpsc = RingBuffer.create(fresh(), { capacity: 4096, kind: "mpsc" });
    expect(await say(mpsc.segment.name)).toEndWith("it is another structure");

    using other = RingBuffer.create(fresh(), { capacity: 4096 });
    other.segment.view.setUint32(LAYOUT_HASH_OFFSET, 1, true);
    expect(await say(other.segment.name)).toEndWith("a build with another layout made it");

    using corrupt = RingBuffer.create(fresh(), { capacity: 4096 });
    corrupt.segment.view.setInt32(layout.CONSUMER_POSITION_OFFSET, 12, true);
    expect(await say(corrupt.segment.name)).toEndWith("the ring is corrupt");
  });

  test("a C consumer survives whatever is scribbled over records and positions", async () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { capacity: 4096 });
    const { bytes } = ring.segment;
    const random = seededRandom("scribble under a C consumer");
    for (let round = 0; round < 30; round++) {
      const consumer = spawnC("ring_consumer", name, 0xffffffff, "read");
      let over = false;
      void consumer.exited.then(() => (over = true));
      while (!over) {
        // Everything behind the header, and beside the wait points, whose sleepers must end.
        const at = layout.CONSUMER_POSITION_OFFSET + Math.floor(random() * 64);
        bytes[at] = random() * 256;
        bytes[layout.RING_DATA_OFFSET + Math.floor(random() * 4096)] = random() * 256;
        if (random() < 0.01) await Bun.sleep(0);
      }
      const { exitCode, signal } = await finished(consumer);
      expect({ exitCode, signal }).toEqual({ exitCode: expect.any(Number), signal: null });
      expect(exitCode === 2 || exitCode === 3).toBe(true);
      bytes.fill(0, layout.CONSUMER_POSITION_OFFSET, layout.CONSUMER_POSITION_OFFSET + 64);
    }
  });

  test("a C producer survives whatever is scribbled over positions and wait points", async () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { capacity: 4096 });
    const { bytes } = ring.segment;
    const random = seededRandom("scribble under a C producer");
    for (let round = 0; round < 30; round++) {
      const producer = spawnC("ring_producer", name, 0, 0xffffffff, 1 + (round % 2) * 9, 0);
      let over = false;
      void producer.exited.then(() => (over = true));
      while (!over) {
        // Everything behind the header: words of both sides, wait points, bells and records.
        const at = layout.PRODUCER_POSITION_OFFSET + Math.floor(random() * (bytes.length - 128));
        bytes[at] = random() * 256;
        bytes[layout.CONSUMER_POSITION_OFFSET + (at & 3)] = random() * 256;
        if (random() < 0.01) await Bun.sleep(0);
      }
      const { exitCode, signal, stderr } = await finished(producer);
      expect({ exitCode, signal }).toEqual({ exitCode: 2, signal: null });
      expect(stderr).toContain("the ring is corrupt");
      bytes.fill(0, layout.PRODUCER_POSITION_OFFSET);
    }
  });

  test("no length, however near the limits of 32 bits, is believed by C or Bun", async () => {
    for (const length of [7, 4097, 0x7ffffff0, 0x7ffffff9, 0x7fffffff]) {
      const name = fresh();
      const producer = spawnC("ring_producer", name, 0, 10, 1, 0, 4096);
      expect(summary(await finished(producer))).toStartWith("10 ");
      using ring = RingBuffer.open(name);
      ring.segment.view.setInt32(layout.RING_DATA_OFFSET, length, true);
      {
        using consumer = ring.consumer();
        expect(() => consumer.tryTake()).toThrow(LayoutError);
        expect(() => ring.producer()).toThrow(LayoutError);
      }
      for (const [program, ...args] of [
        ["ring_producer", 0, 1, 1, 0] as const,
        ["ring_consumer", 1, "peek"] as const,
      ]) {
        const { exitCode, stderr } = await finished(spawnC(program, name, ...args));
        expect(exitCode).toBe(2);
        expect(stderr).toContain("the ring is corrupt");
      }
    }
  });
});
