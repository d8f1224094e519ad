/** Structures from 2 GiB on: there a number of words, or an index, no longer survives a shift. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  Mutex,
  NamedLocks,
  RateLimiter,
  RingBuffer,
  Segment,
  Semaphore,
  Meters,
  SharedAtomics,
  SharedCounter,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedTable,
  SharedWord,
  codecs,
  struct,
} from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";

const name = uniqueName("large");
// Nothing is reserved: pages come as they are touched.
const segment = Segment.create(name, { size: 2 ** 32, reserve: false });
afterAll(() => {
  segment.close();
  Segment.unlink(name);
});

const Point = struct({ x: "f64" });

describe.each([0, 2 ** 31 - 2 ** 20, 2 ** 31, 2 ** 32 - 2 ** 20])("at offset %i", (base) => {
  let next = base;
  const place = (): number => (next += 2 ** 16) - 2 ** 16;

  test("words and counters", () => {
    const word = SharedWord.at(segment, place());
    word.store(7);
    expect(word.add(1)).toBe(7);
    const counter = SharedCounter.at(segment, place());
    counter.add(5);
    expect([word.load(), counter.value]).toEqual([8, 5]);
    const meters = Meters.init(segment, place(), { size: 2 ** 14 });
    meters.counter("n", { help: "h" }).add(5);
    expect(Meters.at(segment, meters.offset).counter("n", { help: "h" }).value).toBe(5);

    const atomics = SharedAtomics.init(segment, place(), { words: ["a"], counters: ["b"] });
    atomics.words.a.store(3);
    atomics.counters.b.add(4);
    const { words, counters } = SharedAtomics.at(segment, atomics.offset, {
      words: ["a"],
      counters: ["b"],
    });
    expect([words.a.load(), counters.b.value]).toEqual([3, 4]);
  });

  test("a map and a record", () => {
    const map = SharedMap.init(segment, place(), { codec: codecs.utf8, size: 2 ** 15 });
    expect(map.set("k", "v")).toBe(true);
    expect(SharedMap.at(segment, map.offset, { codec: codecs.utf8 }).get("k")).toBe("v");
    const record = SharedRecord.init(segment, place(), { codec: Point, initial: { x: 2 } });
    expect(SharedRecord.at(segment, record.offset, { codec: Point }).read()).toEqual({ x: 2 });
  });

  test("a table", async () => {
    const options = { codec: Point, rows: 100, names: true } as const;
    const table = SharedTable.init(segment, place(), options);
    const row = table.rowOf("a")!;
    table.write(row, { x: 2 });
    const same = SharedTable.at(segment, table.offset, { codec: Point });
    expect([same.read(row), same.nameOf(row), same.column("x")[row]]).toEqual([{ x: 2 }, "a", 2]);
    for await (const rows of same.changes()) {
      expect(rows).toEqual([row]);
      break;
    }
  });

  test("named locks", async () => {
    using locks = NamedLocks.init(segment, place(), { names: 5 });
    using same = NamedLocks.at(segment, locks.offset);
    const seen = await locks.request("a", async () => [
      await same.request("a", { ifAvailable: true }, (lock) => lock),
      (await same.query()).held.length,
    ]);
    expect(seen).toEqual([null, 1]);
    expect(same.withLock("a", ({ name }) => name)).toBe("a");
  });

  test("a rate limiter", () => {
    const options = { algorithm: "sliding-window", limit: 2, windowMs: 60_000, keys: 9 } as const;
    const limiter = RateLimiter.init(segment, place(), options);
    expect([limiter.tryConsume("k"), limiter.tryConsume("k")]).toEqual([true, true]);
    const same = RateLimiter.at(segment, limiter.offset, options);
    expect([same.tryConsume("k"), same.reset("k"), same.tryConsume("k")]).toEqual([
      false,
      true,
      true,
    ]);
  });

  test.each(["spsc", "mpsc", "broadcast"] as const)("a ring, %s", (kind) => {
    using ring = RingBuffer.init(segment, place(), { kind, capacity: 4096 });
    const consumer = RingBuffer.at(segment, ring.offset).consumer();
    ring.producer().tryWrite("x");
    expect(consumer.tryTake()).toEqual(new Uint8Array([120]));
    consumer.close();
  });

  test("locks", () => {
    const mutex = Mutex.init(segment, place());
    const same = Mutex.at(segment, mutex.offset);
    expect([same.tryLock(), same.held]).toEqual([true, true]);
    expect(() => mutex.tryLock()).toThrow("this thread holds it through another handle");
    same.unlock();
    const event = SharedEvent.init(segment, place(), { reset: "manual" });
    event.set();
    expect(SharedEvent.at(segment, event.offset).wait()).toBe(true);
    const semaphore = Semaphore.init(segment, place(), { value: 1 });
    expect(semaphore.tryWait()).toBe(true);
  });
});
