/**
 * Every interleaving, and every instant of death, of small programs over record and counter.
 */
import { describe, expect, test } from "bun:test";
import { RecordSlots, recordLength } from "../../src/record/algorithm/record-slots.ts";
import { addToCounter, readCounter } from "../../src/atomics/algorithm/split-counter.ts";
import { type Turn, explore } from "./walker.ts";

/** Takes a lock that dies with its owner. */
function lock(turn: Turn): void {
  while (!turn.tryLock(0)) turn.pause();
}

/** Readers here race with the writer on purpose, wherever they are. */
function everyWordOf({ byteLength }: ArrayBuffer): number[] {
  return Array.from({ length: byteLength >> 2 }, (_, index) => index);
}

describe("counter", () => {
  const buffer = new ArrayBuffer(8);
  const words = new Int32Array(buffer);

  /** Adds, and notes what it reads after. */
  const adder = (amount: number, times: number) => ({
    run: (turn: Turn): void => {
      for (let time = 0; time < times; time++) addToCounter(words, 0, amount);
      turn.note(readCounter(words, 0));
    },
  });
  /** The count, seen from outside of the model. */
  const count = (): number => readCounter(new Int32Array(buffer.slice(0)), 0);
  const reader = {
    run: (turn: Turn): void => {
      turn.note(readCounter(words, 0));
      turn.note(readCounter(words, 0));
    },
  };

  test.each([2 ** 31 - 2, 2 ** 32 - 2, 3 * 2 ** 31 - 3])(
    "two that add and one that reads, around %i",
    (start) => {
      words[0] = start | 0;
      words[1] = Math.floor(start / 2 ** 31);
      const { schedules } = explore({
        buffer,
        participants: { a: adder(1, 2), b: adder(2, 1), reader },
        blocks: "joined",
        check({ notes }) {
          expect(count()).toBe(start + 4);
          const [first, second] = notes["reader"] as [number, number];
          expect(first).toBeGreaterThanOrEqual(start);
          expect(second).toBeGreaterThanOrEqual(first);
          expect(second).toBeLessThanOrEqual(start + 4);
          expect(notes["a"]![0]).toBeGreaterThanOrEqual(start + 2);
          expect(notes["b"]![0]).toBeGreaterThanOrEqual(start + 2);
        },
      });
      console.log(`counter: ${schedules} schedules`);
    },
  );

  test("killed at any instant, an adder has added or has not", () => {
    const start = 2 ** 32 - 1;
    words[0] = start | 0;
    words[1] = Math.floor(start / 2 ** 31);
    const seen = new Set<number>();
    const { schedules } = explore({
      buffer,
      participants: { a: adder(1, 1), b: adder(1, 1), next: { ...adder(1, 1), after: "a" } },
      kill: ["a"],
      blocks: "joined",
      check({ killed }) {
        const added = count() - start;
        if (killed.length === 0) expect(added).toBe(2);
        else seen.add(added);
      },
    });
    console.log(`counter, killed: ${schedules} schedules`);
    expect([...seen].sort()).toEqual([2, 3]);
  });
});

describe("record", () => {
  const LENGTH = 16;
  const SLOTS = 2;
  const buffer = new ArrayBuffer(recordLength(LENGTH, SLOTS));

  const writer = (first: number, count: number) => ({
    run: (turn: Turn): void => {
      const slots = new RecordSlots(buffer, 0, LENGTH, SLOTS);
      for (let at = first; at < first + count; at++) {
        lock(turn);
        slots.write(new Uint8Array(LENGTH).fill(at));
        turn.unlock(0);
      }
    },
  });
  /**
   * Notes what it reads: the byte that all bytes are, or -1 for a torn value; with `exact`, also
   * for the value of another version, which is the number of the write.
   */
  const reader = (times: number, exact = false) => ({
    run: (turn: Turn): void => {
      const slots = new RecordSlots(buffer, 0, LENGTH, SLOTS);
      for (let time = 0; time < times; time++) {
        const version = slots.read();
        const whole = new Set(slots.copy).size === 1 && (!exact || slots.copy[0] === version);
        turn.note(version === 0 ? 0 : whole ? slots.copy[0] : -1);
      }
    },
  });

  // With its plain copies as steps of their own, one read alone can be walked through.
  test.each([
    ["joined", 2],
    ["apart", 1],
  ] as const)("a reader sees whole values, the newer ones later (%s)", (blocks, times) => {
    new Uint8Array(buffer).fill(0);
    const { schedules } = explore({
      buffer,
      participants: { writer: writer(1, 3), reader: reader(times, true) },
      blocks,
      racyAfter: everyWordOf(buffer),
      stateLimit: 20_000_000,
      check({ notes }) {
        const [first, second = first] = notes["reader"] as [number, number?];
        expect(first).toBeGreaterThanOrEqual(0);
        expect(second).toBeGreaterThanOrEqual(first);
      },
    });
    console.log(`record: ${schedules} schedules`);
  });

  test("a writer killed at any instant harms nobody", () => {
    new Uint8Array(buffer).fill(0);
    const { schedules } = explore({
      buffer,
      participants: {
        dying: writer(1, 2),
        next: { ...writer(7, 1), after: "dying" },
        reader: reader(1),
      },
      kill: ["dying"],
      blocks: "joined",
      racyAfter: everyWordOf(buffer),
      check({ notes, killed }) {
        const seen = (notes["reader"] as [number])[0];
        expect([0, 1, 2, 7]).toContain(seen);
        const slots = new RecordSlots(buffer.slice(0), 0, LENGTH, SLOTS);
        expect(slots.read()).not.toBe(0);
        expect([...new Set(slots.copy)]).toEqual([killed.length > 0 ? 7 : 2]);
      },
    });
    console.log(`record, killed: ${schedules} schedules`);
  });

  test("nor does one that is killed where the versions begin again", () => {
    const slots = new RecordSlots(buffer, 0, LENGTH, SLOTS);
    const words = new Int32Array(buffer);
    new Uint8Array(buffer).fill(0);
    slots.write(new Uint8Array(LENGTH).fill(3));
    // As if that had been write 2^32 - 1, whose slot is the same one.
    for (const [at, word] of words.entries()) if (word === 1) words[at] = -1;
    expect([slots.read(), slots.copy[0]]).toEqual([-1, 3]);
    const seen = new Set<number>();
    explore({
      buffer,
      participants: { dying: writer(9, 1) },
      kill: ["dying"],
      check() {
        const left = new RecordSlots(buffer.slice(0), 0, LENGTH, SLOTS);
        expect(left.read()).not.toBe(0);
        expect(new Set(left.copy).size).toBe(1);
        seen.add(left.copy[0]!);
      },
    });
    expect([...seen].sort()).toEqual([3, 9]);
  });
});
