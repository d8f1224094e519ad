/** What every kind of ring does, over every kind of memory. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import type { RingConsumerCore, RingProducerCore } from "../../src/ring/algorithm/core.ts";
import type { RingMemory } from "../../src/ring/algorithm/views.ts";
import type { Kind } from "./kinds.ts";

/** Makes zeroed memory for a ring, at an offset that is not 0. */
export type MakeMemory = (length: number) => { buffer: ArrayBufferLike; byteOffset: number };

interface Sent {
  readonly type: number;
  readonly bytes: Uint8Array;
}

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (seed * 31 + at * 7) & 0xff);
}

/** Writes a record in one call, or by a claim; which of the two, its length says. */
export function send(producer: RingProducerCore, record: Sent): boolean {
  const { length } = record.bytes;
  if (length % 2 === 0) return producer.tryWrite(record.bytes, length, record.type);
  const index = producer.tryClaim(length, record.type);
  if (index < 0) return false;
  producer.bytes.set(record.bytes, index);
  producer.commit();
  return true;
}

/** Reads what is there. @param each Called for each record, while it is handled. */
export function receive(
  consumer: RingConsumerCore,
  limit = 1e9,
  each: () => void = () => undefined,
): Sent[] {
  const received: Sent[] = [];
  const handled = consumer.read((view, index, length, type) => {
    each();
    const bytes = new Uint8Array(view.buffer, view.byteOffset + index, length).slice();
    received.push({ type, bytes });
  }, limit);
  expect(handled).toBe(received.length);
  return received;
}

/** Where a lap of the ring, the top bit and the positions themselves come to an end. */
const STARTS = [0, 2 ** 31 - 48, 2 ** 32 - 48];

export function describeConformance(kind: Kind, makeMemory: MakeMemory, seed: number): void {
  const make = (capacity: number, start = 0): RingMemory => {
    const dataOffset = kind.dataOffset(capacity);
    const memory = { ...makeMemory(dataOffset + capacity), dataOffset, capacity, what: "ring" };
    kind.startAt(memory, start);
    return memory;
  };

  test("hands over every length and type", () => {
    const memory = make(1024);
    const producer = kind.producer(memory);
    const consumer = kind.consumer(memory);
    expect(receive(consumer)).toEqual([]);
    expect(consumer.hasRecord()).toBe(false);
    expect(producer.maxRecordLength).toBeGreaterThanOrEqual(1024 / 8);
    for (let length = 0; length <= producer.maxRecordLength; length++) {
      const record = { type: (length * 0x1234567) & 0x7fffffff, bytes: pattern(length, length) };
      expect(send(producer, record)).toBe(true);
      expect(consumer.hasRecord()).toBe(true);
      expect(receive(consumer, length % 2 === 0 ? 1e9 : 1)).toEqual([record]);
    }
    expect(receive(consumer, 1)).toEqual([]);
  });

  test("an aborted claim is no record", () => {
    const memory = make(1024);
    const producer = kind.producer(memory);
    const consumer = kind.consumer(memory);
    for (let count = 0; count < 100; count++) {
      const index = producer.tryClaim(20, 1);
      producer.bytes.fill(0xff, index, index + 20);
      producer.abort();
      producer.abort();
      producer.commit();
      expect(receive(consumer)).toEqual([]);
    }
    const record = { type: 0, bytes: pattern(5, 1) };
    send(producer, record);
    expect(receive(consumer)).toEqual([record]);
  });

  test("a handler that throws has read its record; a limit is kept", () => {
    const memory = make(1024);
    const producer = kind.producer(memory);
    const consumer = kind.consumer(memory);
    const records = [0, 1, 2, 3].map((type) => ({ type, bytes: pattern(9, type) }));
    for (const record of records) send(producer, record);
    const failing = (): void => {
      throw new Error("from the handler");
    };
    expect(() => consumer.read(failing, 10)).toThrow("from the handler");
    expect(receive(consumer, 2)).toEqual(records.slice(1, 3));
    expect(receive(consumer)).toEqual(records.slice(3));
  });

  test("a full ring refuses, or overwrites and counts", () => {
    const memory = make(kind.minCapacity);
    const producer = kind.producer(memory);
    const consumer = kind.consumer(memory);
    for (let lap = 0; lap < 20; lap++) {
      const sent: Sent[] = [];
      for (let count = 0; count < 20; count++) {
        const record = { type: lap * 20 + count, bytes: pattern(8, count) };
        if (send(producer, record)) sent.push(record);
      }
      const received: Sent[] = [];
      for (let again = receive(consumer); again.length > 0; again = receive(consumer)) {
        received.push(...again);
      }
      expect(sent.length < 20).toBe(kind.refuses);
      expect(sent.length).toBeGreaterThan(2);
      if (kind.refuses) {
        expect(received).toEqual(sent);
      } else {
        expect(received.length).toBeGreaterThan(2);
        expect(received).toEqual(sent.slice(-received.length));
        const { lost } = consumer as RingConsumerCore & { lost: number };
        expect(lost).toBe((lap + 1) * 20 - received.length * (lap + 1));
      }
    }
  });

  test("whoever succeeds goes on where the other ended", () => {
    const memory = make(1024);
    const first = kind.consumer(memory);
    for (let round = 0; round < 50; round++) {
      const records = [1, 2, 3].map((n) => ({ type: round, bytes: pattern(n * 11, round + n) }));
      for (const record of records) send(kind.producer(memory), record);
      const consumer = kind.keeps ? kind.consumer(memory) : first;
      expect(receive(consumer)).toEqual(records);
      // As the noun does when it is closed.
      if (kind.keeps) consumer.end();
    }
  });

  test("any lengths, batches, limits and wraps", () => {
    // What happens: a record of a length is sent, so many are read, a batch is published.
    const action = fc.oneof(
      { weight: 5, arbitrary: fc.record({ do: fc.constant("send"), n: fc.nat(1000) }) },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant("read"), n: fc.integer({ min: 1, max: 9 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom("flush", "abort", "one"), n: fc.nat(60) }),
      },
    );
    const property = fc.property(
      fc.array(action, { maxLength: 60 }),
      fc.constantFrom(...STARTS),
      fc.constantFrom(1, 2, 5),
      fc.constantFrom(1, 4),
      (actions, start, batch, size) => {
        const memory = make(kind.minCapacity * size, start);
        const producer = kind.producer(memory, batch);
        const consumer = kind.consumer(memory);
        const waiting: Sent[] = [];
        let type = 0;
        let lost = 0;
        // Records can be lost between two of one read: each is asked how many were lost before it.
        const lose = (): void => {
          const now = consumer.lost ?? 0;
          waiting.splice(0, now - lost);
          lost = now;
        };
        const check = (limit?: number): number => {
          const expected: (Sent | undefined)[] = [];
          const received = receive(consumer, limit, () => {
            lose();
            expected.push(waiting.shift());
          });
          lose();
          expect(received).toEqual(expected as Sent[]);
          return received.length;
        };
        for (const { do: what, n } of actions) {
          const length = n % (producer.maxRecordLength + 1);
          if (what === "send") {
            const record = { type: type++, bytes: pattern(length, type) };
            // Refused: an aborted claim may be all that takes the room. An empty ring has room.
            const sent = send(producer, record);
            if (!sent && waiting.length === 0) {
              expect(receive(consumer)).toEqual([]);
              expect(send(producer, record)).toBe(true);
            }
            if (sent || waiting.length === 0) waiting.push(record);
          } else if (what === "read") {
            check(n);
          } else if (what === "one") {
            check(1);
          } else if (what === "flush") {
            producer.flush();
          } else if (producer.tryClaim(length, 7) >= 0) {
            producer.abort();
          }
        }
        producer.flush();
        while (check() > 0);
        expect(waiting).toEqual([]);
      },
    );
    fc.assert(property, { seed, numRuns: 150 });
  });

  test("at each atomic access of a write, others see whole records", () => {
    const memory = make(kind.minCapacity * 4);
    const consumer = kind.consumer(memory);
    const producer = kind.producer(memory, 2);
    const sent = Array.from({ length: 12 }, (_, type) => ({ type, bytes: pattern(13, type) }));
    let moments = 0;
    const received: Sent[] = [];
    const original = { store: Atomics.store, compareExchange: Atomics.compareExchange };
    // What would another process see, if it looked now and the writer died? Where the ring keeps
    // what was published, a newcomer to a copy tells; otherwise one that joined the copy before.
    const copy = { ...memory, buffer: new Uint8Array(memory.buffer).slice().buffer };
    const witness = kind.keeps ? undefined : kind.consumer(copy);
    const witnessed: Sent[] = [];
    const look = (): void => {
      moments++;
      new Uint8Array(copy.buffer).set(new Uint8Array(memory.buffer));
      if (witness === undefined) witnessed.splice(0, Infinity, ...received);
      witnessed.push(...receive(witness ?? kind.consumer(copy)));
      expect(witnessed).toEqual(sent.slice(0, witnessed.length));
    };
    const watch =
      <Args extends unknown[], Result>(access: (...args: Args) => Result) =>
      (...args: Args): Result => {
        Object.assign(Atomics, original);
        look();
        const result = access(...args);
        look();
        Object.assign(Atomics, watched);
        return result;
      };
    const watched = {
      store: watch(original.store as (...args: unknown[]) => unknown),
      compareExchange: watch(original.compareExchange as (...args: unknown[]) => unknown),
    };
    try {
      for (const record of sent) {
        Object.assign(Atomics, watched);
        const done = send(producer, record);
        Object.assign(Atomics, original);
        if (!done) throw new Error("There is room");
        received.push(...receive(consumer));
        // The last look of a write has seen all that it published.
        expect(witnessed.length).toBe(received.length);
      }
    } finally {
      Object.assign(Atomics, original);
    }
    producer.flush();
    received.push(...receive(consumer));
    expect(received).toEqual(sent);
    expect(moments).toBeGreaterThanOrEqual(sent.length);
  });
}
