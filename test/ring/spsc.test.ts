import { describe, expect, test } from "bun:test";
import { RING_DATA_OFFSET } from "../../src/layout/ring-layout.ts";
import { NOBODY } from "../../src/ring/algorithm/core.ts";
import { SpscConsumer } from "../../src/ring/algorithm/spsc/consumer.ts";
import { SpscProducer } from "../../src/ring/algorithm/spsc/producer.ts";
import type { RingMemory } from "../../src/ring/algorithm/views.ts";

function memory(capacity: number): RingMemory {
  const buffer = new ArrayBuffer(RING_DATA_OFFSET + capacity);
  return { buffer, byteOffset: 0, dataOffset: RING_DATA_OFFSET, capacity, what: "ring" };
}

function write(producer: SpscProducer, value: number, length = 8): boolean {
  const at = producer.tryClaim(length, value & 0xff);
  if (at < 0) return false;
  producer.view.setUint32(at, value, true);
  producer.commit();
  return true;
}

function readAll(consumer: SpscConsumer): number[] {
  const values: number[] = [];
  while (
    consumer.read((view, index, _length, type) => {
      const value = view.getUint32(index, true);
      expect(type).toBe(value & 0xff);
      values.push(value);
    }, Number.MAX_SAFE_INTEGER) > 0
  );
  return values;
}

describe("SPSC", () => {
  test("hands over records of every length around the end of the ring", () => {
    const ring = memory(256);
    const producer = new SpscProducer(ring, NOBODY);
    const consumer = new SpscConsumer(ring, NOBODY);
    for (let value = 0; value < 10_000; value++) {
      const length = 4 + (value % 61);
      expect(write(producer, value, length)).toBe(true);
      if (value % 2 === 1) expect(readAll(consumer)).toEqual([value - 1, value]);
    }
  });

  test("is full one header before its capacity, and goes on after a read", () => {
    const ring = memory(64);
    const producer = new SpscProducer(ring, NOBODY);
    const consumer = new SpscConsumer(ring, NOBODY);
    expect([1, 2, 3, 4].map((value) => write(producer, value))).toEqual([true, true, true, false]);
    expect(readAll(consumer)).toEqual([1, 2, 3]);
    expect(write(producer, 4)).toBe(true);
    expect(readAll(consumer)).toEqual([4]);
  });

  test("publishes a batch at its end, at flush, and at a full ring", () => {
    const ring = memory(256);
    const producer = new SpscProducer(ring, NOBODY, 3);
    const consumer = new SpscConsumer(ring, NOBODY);
    write(producer, 1);
    write(producer, 2);
    expect(consumer.hasRecord()).toBe(false);
    write(producer, 3);
    expect(readAll(consumer)).toEqual([1, 2, 3]);
    write(producer, 4);
    producer.flush();
    expect(readAll(consumer)).toEqual([4]);
    let value = 5;
    while (write(producer, value)) value++;
    expect(readAll(consumer)).toEqual(Array.from({ length: value - 5 }, (_, at) => at + 5));
  });

  test("an aborted claim leaves nothing", () => {
    const ring = memory(64);
    const producer = new SpscProducer(ring, NOBODY);
    const consumer = new SpscConsumer(ring, NOBODY);
    expect(producer.tryClaim(8, 1)).toBe(8);
    producer.abort();
    producer.commit();
    expect(readAll(consumer)).toEqual([]);
    write(producer, 7);
    expect(readAll(consumer)).toEqual([7]);
  });

  test("a handler that throws has read its record, and loses no other", () => {
    const ring = memory(256);
    const producer = new SpscProducer(ring, NOBODY);
    const consumer = new SpscConsumer(ring, NOBODY);
    for (const value of [1, 2, 3]) write(producer, value);
    const seen: number[] = [];
    const handler = (view: DataView, index: number): void => {
      seen.push(view.getUint32(index, true));
      if (seen.length === 2) throw new Error("mine");
    };
    expect(() => consumer.read(handler, 10)).toThrow("mine");
    expect(readAll(consumer)).toEqual([3]);
  });

  test("a new producer goes on behind what is unread", () => {
    const ring = memory(256);
    const first = new SpscProducer(ring, NOBODY, 2);
    for (const value of [1, 2, 3]) write(first, value);
    // The third was committed and never published.
    const second = new SpscProducer(ring, NOBODY);
    write(second, 4);
    expect(readAll(new SpscConsumer(ring, NOBODY))).toEqual([1, 2, 4]);
  });
});
