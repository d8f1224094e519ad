import { afterEach, describe, expect, test } from "bun:test";
import {
  ClosedError,
  type Codec,
  LayoutError,
  RingBuffer,
  Segment,
  StateError,
  codecs,
} from "../../src/index.ts";
import { MAKING } from "../../src/layout/making.ts";
import { HEADER_MAKING } from "../../src/layout/segment-header.ts";
import { SPACE_WAIT_POINT_OFFSET } from "../../src/layout/ring-layout.ts";
import { WAITING } from "../../src/layout/wait-point-layout.ts";
import { uniqueName } from "../support/names.ts";
import { WATCHDOG_MS, finished, runBun, spawnBun } from "../support/process.ts";

const PROGRAM = "test/peers/ring-peer.ts";
const names: string[] = [];

function fresh(): string {
  const name = uniqueName("ring");
  names.push(name);
  return name;
}

afterEach(() => {
  for (const name of names.splice(0)) Segment.unlink(name);
});

for (const kind of ["spsc", "mpsc"] as const) {
  describe(`RingBuffer, ${kind}`, () => {
    test("writes bytes, views and text, and reads them in place", () => {
      using ring = RingBuffer.create(fresh(), { capacity: 4096, kind });
      using producer = ring.producer();
      using consumer = ring.consumer();
      expect(producer.tryWrite(new Uint8Array([1, 2, 3]), 7)).toBe(true);
      expect(producer.tryWrite("héllo")).toBe(true);
      expect(producer.tryWrite(new DataView(new Uint8Array([9, 8, 7]).buffer, 1))).toBe(true);
      expect(producer.tryWrite("")).toBe(true);
      const seen: [number, number[]][] = [];
      const count = consumer.tryRead((view, index, length, type) => {
        seen.push([type, Array.from({ length }, (_, at) => view.getUint8(index + at))]);
      });
      expect(count).toBe(4);
      expect(seen).toEqual([
        [7, [1, 2, 3]],
        [0, [...Buffer.from("héllo")]],
        [0, [8, 7]],
        [0, []],
      ]);
      expect(consumer.tryTake()).toBeUndefined();
    });

    test("text that UTF-8 cannot carry is refused, and nothing is written", async () => {
      using ring = RingBuffer.create(fresh(), { capacity: 4096, kind });
      using producer = ring.producer();
      using consumer = ring.consumer();
      expect(() => producer.tryWrite("a\ud800")).toThrow(RangeError);
      expect(() => producer.write("\udc00é")).toThrow("lone surrogate");
      expect(producer.writeAsync("\udfff")).rejects.toThrow(RangeError);
      expect(consumer.tryTake()).toBeUndefined();
      expect(producer.tryWrite("\u{1f600}")).toBe(true);
    });

    test("claims: committed, aborted, disposed", () => {
      using ring = RingBuffer.create(fresh(), { capacity: 4096, kind });
      using producer = ring.producer();
      using consumer = ring.consumer();
      const at = producer.tryClaim(4);
      expect(() => producer.tryClaim(4)).toThrow("the last claim has not ended yet");
      producer.view.setUint32(at, 42, true);
      producer.commit();
      expect(() => producer.commit()).toThrow("nothing is claimed");
      producer.tryClaim(8);
      producer.abort();
      {
        using claim = producer.claim(3)!;
        claim.bytes.fill(5);
      }
      {
        using claim = producer.claim(3)!;
        claim.view.setUint8(0, 6);
        claim.commit();
      }
      expect([consumer.tryTake(), consumer.tryTake()?.[0], consumer.tryTake()]).toEqual([
        new Uint8Array([42, 0, 0, 0]),
        6,
        undefined,
      ]);
    });

    test("is full, says so with values, waits, and goes on", async () => {
      using ring = RingBuffer.create(fresh(), { capacity: 256, kind });
      using producer = ring.producer();
      using consumer = ring.consumer();
      const record = new Uint8Array(24).fill(1);
      let written = 0;
      while (producer.tryWrite(record)) written++;
      expect(written).toBeGreaterThanOrEqual(7);
      expect([producer.tryClaim(24), producer.claim(24, { timeoutMs: 0 })]).toEqual([
        -1,
        undefined,
      ]);
      expect(producer.write(record, { timeoutMs: 5 })).toBe(false);
      expect(await producer.writeAsync(record, { timeoutMs: 5 })).toBe(false);
      const writing = producer.writeAsync(record, { type: 3 });
      await Bun.sleep(10);
      expect(consumer.tryRead(() => undefined)).toBe(written);
      expect(await writing).toBe(true);
      let type = 0;
      expect(consumer.tryRead((_view, _index, _length, its) => (type = its))).toBe(1);
      expect(type).toBe(3);
      const stats = ring.stats();
      expect(stats).toMatchObject({ in: written + 1, out: written + 1, depth: 0, capacity: 256 });
      expect(stats.full).toBeGreaterThan(0);
      expect(stats.waits).toBe(3);
      expect(stats.highWater).toBeGreaterThan(200);
      expect(stats.bytesOut).toBe(stats.bytesIn);
    });

    test("a slow reader keeps no room from a producer that sleeps", async () => {
      using ring = RingBuffer.create(fresh(), { capacity: 1 << 14, kind });
      using producer = ring.producer();
      using consumer = ring.consumer();
      const record = new Uint8Array(24);
      while (producer.tryWrite(record));
      let written = false;
      const writing = producer.writeAsync(record).then((ok) => (written = ok));
      const words = new Int32Array(ring.segment.buffer);
      while ((words[SPACE_WAIT_POINT_OFFSET >> 2]! & WAITING) === 0) await Bun.sleep(1);
      // A few records, more than one for kinds that free cells: 256 bytes of 16 KiB. The rest is not
      // read, so a producer that is not let in by these never is, and the watchdog says so.
      for (let read = 0; read < 8 && !written; read++) {
        expect(consumer.tryRead(() => undefined, 1)).toBe(1);
        await Bun.sleep(0);
      }
      const watchdog = Bun.sleep(WATCHDOG_MS).then(() => "hung");
      expect(await Promise.race([writing, watchdog])).toBe(true);
    });

    test("a handler that throws has read its record, and loses no other", () => {
      using ring = RingBuffer.create(fresh(), { capacity: 1024, kind, codec: codecs.utf8 });
      using producer = ring.producer();
      using consumer = ring.consumer();
      for (const text of ["a", "b", "c"]) producer.tryWrite(text);
      const failing = (): void => {
        throw new Error("mine");
      };
      expect(() => consumer.tryRead(failing)).toThrow("mine");
      expect([consumer.tryTake(), consumer.tryTake(), consumer.tryTake()]).toEqual([
        "b",
        "c",
        undefined,
      ]);
    });

    test("codecs type what is written and read", async () => {
      interface Order {
        id: number;
        lines: string[];
      }
      using orders = RingBuffer.create(fresh(), { kind, codec: codecs.json<Order>() });
      using producer = orders.producer();
      using consumer = orders.consumer();
      producer.tryWrite({ id: 1, lines: ["x"] });
      const order: Order | undefined = consumer.tryTake();
      expect(order).toEqual({ id: 1, lines: ["x"] });
      using clones = RingBuffer.create(fresh(), {
        kind,
        codec: codecs.clone<Map<string, Date>>(),
      });
      using clonesIn = clones.producer();
      using clonesOut = clones.consumer();
      const value = new Map([["now", new Date(5)]]);
      clonesIn.write(value);
      expect(await clonesOut.takeAsync()).toEqual(value);
    });

    test("what cannot be written is refused with the limit", () => {
      using ring = RingBuffer.create(fresh(), { capacity: 1024, kind });
      using producer = ring.producer();
      expect(ring.maxRecordLength).toBeGreaterThanOrEqual(128);
      expect(() => producer.tryWrite(new Uint8Array(1000))).toThrow(
        new RangeError(
          `Cannot write with the producer of ring "${ring.name}": a record's length must be an ` +
            `integer from 0 to ${ring.maxRecordLength}, not 1000`,
        ),
      );
      expect(() => producer.tryClaim(1.5)).toThrow(RangeError);
      expect(() => producer.tryClaim(-1)).toThrow(RangeError);
      expect(() => producer.tryClaim(1, -1)).toThrow(
        "a record's type must be an integer from 0 to 2147483647, not -1",
      );
      expect(() => producer.tryWrite(5 as never)).toThrow(TypeError);
      expect(producer.tryWrite(new Uint8Array(ring.maxRecordLength))).toBe(true);
    });

    test("the consumer's role is exclusive while its holder lives", async () => {
      const name = fresh();
      using ring = RingBuffer.create(name, { kind });
      const consumer = ring.consumer();
      expect(() => ring.consumer()).toThrow(
        `Cannot become the consumer of ring "${name}": a live consumer has it`,
      );
      consumer.close();
      const child = spawnBun(PROGRAM, "hold", name);
      const reader = child.stdout.getReader();
      await reader.read();
      reader.releaseLock();
      expect(() => ring.consumer()).toThrow(StateError);
      child.kill("SIGKILL");
      await child.exited;
      ring.consumer().close();
    });

    for (const mode of ["spin", "block", "adaptive", "async", "iterate"]) {
      test(`another process reads 20,000 records in order: ${mode}`, async () => {
        const name = fresh();
        using ring = RingBuffer.create(name, { capacity: 4096, kind });
        const peer = spawnBun(PROGRAM, mode, name, "20000");
        using producer = ring.producer({ batch: 8 });
        const view = new DataView(new ArrayBuffer(200));
        for (let sequence = 0; sequence < 20_000; sequence++) {
          view.setUint32(0, sequence, true);
          const record = new Uint8Array(view.buffer, 0, 4 + ((sequence * 7) % 190));
          expect(await producer.writeAsync(record, { timeoutMs: 60_000 })).toBe(true);
        }
        producer.flush();
        expect(await finished(peer)).toMatchObject({ exitCode: 0, stderr: "", stdout: "20000\n" });
      });
    }

    test("closing ends the waits and the iteration of its handles", async () => {
      const ring = RingBuffer.create(fresh(), { capacity: 256, kind });
      const producer = ring.producer();
      const consumer = ring.consumer();
      const reading = consumer.takeAsync();
      const iterating = (async () => {
        for await (const record of consumer) throw new Error(`Read ${record}`);
        return "ended";
      })();
      await Bun.sleep(30);
      ring.close();
      expect([await reading, await iterating]).toEqual([undefined, "ended"]);
      expect(() => consumer.tryTake()).toThrow(ClosedError);
      expect(() => producer.tryWrite("x")).toThrow(ClosedError);
      expect(() => ring.consumer()).toThrow(ClosedError);
    });

    test("padding alone ends no wait", async () => {
      using ring = RingBuffer.create(fresh(), { capacity: 256, kind });
      using producer = ring.producer();
      using consumer = ring.consumer();
      // To where a longer record does not fit before the end of the ring.
      for (let round = 0; round < 3; round++) producer.tryWrite(new Uint8Array(56));
      consumer.tryRead(() => undefined);
      expect(producer.tryClaim(60)).toBeGreaterThanOrEqual(0);
      producer.abort();
      producer.flush();
      const before = performance.now();
      expect(consumer.read(() => undefined, { timeoutMs: 60 })).toBe(0);
      expect(await consumer.takeAsync({ timeoutMs: 60 })).toBeUndefined();
      expect(performance.now() - before).toBeGreaterThanOrEqual(100);
      producer.tryWrite("x");
      expect(consumer.tryTake()).toEqual(new Uint8Array([120]));
    });

    test("an aborted read rejects with the reason", async () => {
      using ring = RingBuffer.create(fresh(), { kind });
      using consumer = ring.consumer();
      const controller = new AbortController();
      const reading = consumer.takeAsync({ signal: controller.signal });
      setTimeout(() => controller.abort(new Error("enough")), 20);
      expect(reading).rejects.toThrow("enough");
      await reading.catch(() => undefined);
      expect(await consumer.takeAsync({ timeoutMs: 5 })).toBeUndefined();
    });

    test("a pending read keeps the process alive unless it is unref'd", async () => {
      const name = fresh();
      using ring = RingBuffer.create(name, { kind });
      expect(ring.kind).toBe(kind);
      expect(await runBun(PROGRAM, "unref", name)).toMatchObject({ exitCode: 0, stdout: "" });
    });
  });
}

describe("RingBuffer, broadcast", () => {
  const numbers: Codec<number> = {
    id: "byte/1",
    encode: (n) => Buffer.from([n]),
    decode: (b) => b[0]!,
  };
  const drain = <T>({ take }: { take: () => T | undefined }): T[] => {
    const taken: T[] = [];
    for (let one = take(); one !== undefined; one = take()) taken.push(one);
    return taken;
  };

  for (const policy of ["overwrite", "block"] as const) {
    test(`${policy}: each consumer sees what is published after it joined`, async () => {
      using ring = RingBuffer.create(fresh(), { kind: "broadcast", policy, codec: numbers });
      expect([ring.kind, ring.policy]).toEqual(["broadcast", policy]);
      using producer = ring.producer();
      using early = ring.consumer();
      producer.tryWrite(1);
      using late = ring.consumer();
      producer.tryWrite(2);
      const pending = Promise.all([early, late].map(async (one) => (await one.takeAsync())!));
      expect(await pending).toEqual([1, 2]);
      const waiting = late.takeAsync();
      await Bun.sleep(10);
      producer.tryWrite(3);
      expect(await waiting).toBe(3);
      expect(drain({ take: () => early.tryTake() })).toEqual([2, 3]);
      expect([early.lost, late.lost]).toEqual([0, 0]);
      const { lost, full, depth, out } = ring.stats();
      const refusals = policy === "block" ? 0 : undefined;
      expect([ring.stats().in, lost, full]).toEqual([3, refusals === 0 ? undefined : 0, refusals]);
      // Each consumer is elsewhere, and none counts for all.
      expect([depth, out]).toEqual([undefined, undefined]);
      expect(() => ring.producer()).toThrow("a live producer has it");
    });

    test(`${policy}: other processes read 20,000 records in order`, async () => {
      const name = fresh();
      using ring = RingBuffer.create(name, { capacity: 1 << 20, kind: "broadcast", policy });
      const peers = ["async", "block"].map((mode) =>
        spawnBun(PROGRAM, `join-${mode}`, name, "20000"),
      );
      using producer = ring.producer();
      // Records are for those that joined: both say so first.
      const outputs = peers.map((peer) =>
        peer.stdout.pipeThrough(new TextDecoderStream()).getReader(),
      );
      for (const output of outputs) expect((await output.read()).value).toBe("joined\n");
      const view = new DataView(new ArrayBuffer(200));
      for (let sequence = 0; sequence < 20_000; sequence++) {
        view.setUint32(0, sequence, true);
        const record = new Uint8Array(view.buffer, 0, 4 + ((sequence * 7) % 190));
        expect(await producer.writeAsync(record, { timeoutMs: 60_000 })).toBe(true);
      }
      view.setUint32(0, 0xffffffff, true);
      await producer.writeAsync(new Uint8Array(view.buffer, 0, 4));
      for (const output of outputs) {
        const { value = "" } = await output.read();
        const { read, lost } = JSON.parse(value) as { read: number; lost: number };
        expect(read + lost).toBe(20_000);
        if (policy === "block") expect(lost).toBe(0);
      }
    });
  }

  test("overwrite: a lapped consumer learns exactly how many it lost", () => {
    using ring = RingBuffer.create(fresh(), { capacity: 1024, kind: "broadcast", codec: numbers });
    using producer = ring.producer();
    using consumer = ring.consumer();
    for (let number = 0; number < 200; number++) expect(producer.tryWrite(number)).toBe(true);
    const seen = drain({ take: () => consumer.tryTake() });
    expect(seen.length).toBeGreaterThan(10);
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, at) => 200 - seen.length + at));
    expect(consumer.lost).toBe(200 - seen.length);
    expect(ring.stats().lost).toBe(consumer.lost);
  });

  test("block: a live consumer holds the producer back, a dead one does not", async () => {
    const name = fresh();
    using ring = RingBuffer.create(name, { capacity: 1024, kind: "broadcast", policy: "block" });
    using producer = ring.producer();
    const child = spawnBun(PROGRAM, "hold", name);
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    const record = new Uint8Array(16);
    while (producer.tryWrite(record));
    expect(producer.write(record, { timeoutMs: 100 })).toBe(false);
    child.kill("SIGKILL");
    await child.exited;
    expect(producer.write(record, { timeoutMs: 30_000 })).toBe(true);
  });

  test("what cannot be is refused", () => {
    const make = (options: object) => () => RingBuffer.create(fresh(), options);
    expect(make({ kind: "broadcast", capacity: 128 })).toThrow("a broadcast ring has at least 256");
    expect(make({ kind: "broadcast", policy: "drop" })).toThrow(
      'its policy must be "overwrite" or "block", not "drop"',
    );
    expect(make({ kind: "spsc", policy: "block" })).toThrow("has no policy");
    expect(make({ policy: "block" })).toThrow(TypeError);
  });
});

describe("RingBuffer", () => {
  test("openOrCreate finds what is there, and open refuses what is none", () => {
    const name = fresh();
    expect(() => RingBuffer.open(name)).toThrow("ENOENT");
    using ring = RingBuffer.openOrCreate(name, { capacity: 256, kind: "mpsc" });
    using same = RingBuffer.openOrCreate(name);
    expect([same.capacity, same.kind, ring.capacity]).toEqual([256, "mpsc", 256]);
    expect([ring.created, same.created, same.name, same.offset]).toEqual([true, false, name, 0]);
    expect(() => RingBuffer.create(name)).toThrow("EEXIST");
    using raw = Segment.create(fresh(), { size: 4096 });
    raw.view.setUint32(0, 0x1234, true);
    expect(() => RingBuffer.open(raw.name)).toThrow(LayoutError);
    expect(() => RingBuffer.at(raw, 0)).toThrow(LayoutError);
  });

  test("a maker that died before the header was finished is replaced", () => {
    const name = fresh();
    using half = Segment.create(name, { size: RingBuffer.byteLength({ capacity: 256 }) });
    half.bytes.fill(7, 4);
    half.view.setUint32(HEADER_MAKING.offset, MAKING, true);
    expect(() => RingBuffer.open(name)).toThrow("it is unfinished, and nobody is making it");
    using ring = RingBuffer.openOrCreate(name, { capacity: 256 });
    ring.producer().tryWrite("x");
    expect(ring.consumer().tryTake()).toEqual(new Uint8Array([120]));
  });

  test("another build's layout is refused, and a header whose sizes cannot be", () => {
    const name = fresh();
    using ring = RingBuffer.create(name);
    const { view } = ring.segment;
    view.setUint32(28, 4096, true);
    view.setUint32(24, 2048, true);
    expect(() => RingBuffer.open(name)).toThrow(
      `Cannot open ring "${name}": its data is elsewhere: expected 1024 at offset 24, found 2048`,
    );
    view.setUint32(28, 4097, true);
    expect(() => RingBuffer.open(name)).toThrow(
      `Cannot open ring "${name}": its capacity is wrong, since it must be a power of two`,
    );
    view.setUint32(20, 1, true);
    expect(() => RingBuffer.open(name)).toThrow("another build made it, with another layout");
  });

  test("lies in any kind of segment", () => {
    for (const where of ["memfd:ring", "sysv:private"]) {
      using segment = Segment.create(where, { size: 8192 });
      using ring = RingBuffer.init(segment, 0, { capacity: 1024, kind: "mpsc" });
      using producer = ring.producer();
      producer.tryWrite("here");
      using consumer = ring.consumer();
      expect(Buffer.from(consumer.tryTake()!).toString()).toBe("here");
      expect(() => ring.consumer()).toThrow("a live consumer has it");
      segment.unlink();
    }
  });
});
