/**
 * Every interleaving, and every instant of death, of small programs over record, map and counter.
 */
import { describe, expect, test } from "bun:test";
import { FREE_COUNT_WORD, STRIPE_HEAD_WORDS } from "../../src/layout/map-layout.ts";
import { store } from "../../src/memory/atomics.ts";
import { MapMemory } from "../../src/map/algorithm/map-memory.ts";
import { ABSENT, MapReader } from "../../src/map/algorithm/map-reader.ts";
import { rebuild } from "../../src/map/algorithm/map-repair.ts";
import { HashedKey } from "../../src/struct/hashed-key.ts";
import { Scratch } from "../../src/struct/scratch.ts";
import { type MapShape, mapLength } from "../../src/map/algorithm/map-shape.ts";
import { MapWriter } from "../../src/map/algorithm/map-writer.ts";
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
});

describe("map", () => {
  const SHAPE: MapShape = { stripeCount: 1, bucketCount: 1, unitCount: 8, unitWords: 16 };
  const MAP_BYTES = mapLength(SHAPE);
  // No entry here expires.
  const CLOCK = { boot: 1, nowMs: () => 0 };
  // One more word says that the lock's owner is at work, as a robust mutex knows by itself.
  const buffer = new ArrayBuffer(MAP_BYTES + 128);
  const busy = MAP_BYTES >> 2;
  const words = new Int32Array(buffer);

  /** A handle, as each process has its own. */
  function handle(
    turn?: Turn,
    memoryOf = buffer,
  ): { reader: MapReader; writer: MapWriter; found: Scratch } {
    const memory = new MapMemory(memoryOf, 0, SHAPE, CLOCK);
    const found = new Scratch(1000);
    const locks = {
      lock(): boolean {
        if (turn === undefined) return false;
        lock(turn);
        const died = words[busy] === 1;
        store(words, busy, 1);
        return died;
      },
      unlock(): void {
        if (turn === undefined) return;
        store(words, busy, 0);
        turn.unlock(0);
      },
    };
    return {
      reader: new MapReader(memory, found),
      writer: new MapWriter(memory, locks, false),
      found,
    };
  }

  const keyOf = (name: string): HashedKey => {
    const key = new HashedKey(1, 2);
    key.set(name);
    return key;
  };
  /** A value of two units: its letter, repeated. */
  const valueOf = (letter: string): Scratch => {
    const value = new Scratch(1000);
    value.bytes.fill(letter.charCodeAt(0), 0, 80);
    return value;
  };
  const set = (map: ReturnType<typeof handle>, name: string, letter: string): boolean =>
    map.writer.set(keyOf(name), valueOf(letter), 80, 0, false) === 1;
  /** The letter that the value consists of, "absent", or "torn". */
  const get = (map: ReturnType<typeof handle>, name: string): string => {
    const length = map.reader.read(keyOf(name));
    if (length === ABSENT) return "absent";
    const letters = new Set(map.found.bytes.subarray(0, length));
    return letters.size === 1 && length === 80 ? String.fromCharCode([...letters][0]!) : "torn";
  };
  const prepare = (entries: Record<string, string>): void => {
    words.fill(0);
    const map = handle();
    rebuild(new MapMemory(buffer, 0, SHAPE, CLOCK), 0);
    for (const [name, letter] of Object.entries(entries)) expect(set(map, name, letter)).toBe(true);
  };
  const reads = (names: string[]) => ({
    run: (turn: Turn): void => {
      const map = handle(turn);
      for (const name of names) turn.note(get(map, name));
    },
  });

  // One writer needs no lock: without it there are far fewer schedules.
  // Two replacements have over a million states: in the long form alone.
  test.each([
    ...(process.env["BUN_SHM_SOAK"] === undefined ? [] : [[["b", "c"], ["k"]]]),
    [["b"], ["k", "k"]],
  ] as [string[], string[]][])(
    "while %p is set, a reader sees whole values in their order",
    (letters, names) => {
      prepare({ k: "0" });
      prepare({ k: "a" });
      const { schedules, states } = explore({
        buffer,
        participants: {
          writer: {
            run() {
              const map = handle();
              for (const letter of letters) set(map, "k", letter);
            },
          },
          reader: reads(names),
        },
        blocks: "joined",
        racyAfter: everyWordOf(buffer),
        check({ notes }) {
          const [first, second = first] = notes["reader"] as [string, string?];
          expect(["a", "b", "c"]).toContain(first);
          expect(["a", "b", "c"]).toContain(second);
          expect(second >= first).toBe(true);
        },
      });
      console.log(`map, replaced: ${schedules} schedules, ${states} states`);
    },
  );

  test("an entry that goes makes room for another, and neither is taken for the other", () => {
    prepare({ k: "a" });
    const { schedules, states } = explore({
      buffer,
      participants: {
        writer: {
          run() {
            const map = handle();
            map.writer.delete(keyOf("k"));
            set(map, "j", "b");
          },
        },
        reader: reads(["k", "j"]),
      },
      blocks: "joined",
      racyAfter: everyWordOf(buffer),
      check({ notes }) {
        const [k, j] = notes["reader"] as [string, string];
        expect(["a", "absent"]).toContain(k);
        expect(["b", "absent"]).toContain(j);
      },
    });
    console.log(`map, deleted: ${schedules} schedules, ${states} states`);
  });

  test("two writers take turns, and nothing is lost", () => {
    prepare({});
    const { schedules } = explore({
      buffer,
      participants: {
        one: { run: (turn) => void set(handle(turn), "k", "a") },
        two: { run: (turn) => void set(handle(turn), "j", "b") },
      },
      blocks: "joined",
      check() {
        const map = handle(undefined, buffer.slice(0));
        expect([get(map, "k"), get(map, "j")]).toEqual(["a", "b"]);
        expect(words[FREE_COUNT_WORD]).toBe(7 - 4);
      },
    });
    console.log(`map, two writers: ${schedules} schedules`);
  });

  test("killed at any instant, a writer leaves a map that the next one repairs", () => {
    prepare({ other: "z", k: "a" });
    const outcomes = new Set<string>();
    const { schedules, states } = explore({
      buffer,
      participants: {
        dying: { run: (turn) => void set(handle(turn), "k", "b") },
        next: {
          run(turn) {
            const map = handle(turn);
            turn.note(get(map, "k"));
            map.writer.delete(keyOf("nothing"));
            turn.note(get(map, "k"));
          },
          after: "dying",
        },
      },
      kill: ["dying"],
      check({ notes, killed }) {
        const map = handle(undefined, buffer.slice(0));
        expect(get(map, "other")).toBe("z");
        if (killed.length === 0) return void expect(get(map, "k")).toBe("b");
        // What the next one finds before its repair is what it finds after.
        const [before, after] = notes["next"] as [string, string];
        expect(after).toBe(before);
        outcomes.add(after);
        expect(words[FREE_COUNT_WORD]).toBe(7 - 4);
      },
    });
    console.log(`map, killed: ${schedules} schedules, ${states} states`);
    expect([...outcomes].sort()).toEqual(["a", "b"]);
  });

  test("a reader at an entry that a dead writer took out is not misled by its repair", () => {
    prepare({ k: "a" });
    const slot = words.findIndex((word, at) => at >= STRIPE_HEAD_WORDS && word !== 0);
    const { schedules, states } = explore({
      buffer,
      participants: {
        // What a deletion does before it frees the units.
        dying: {
          run(turn) {
            lock(turn);
            store(words, busy, 1);
            store(words, slot, 0);
          },
        },
        next: { run: (turn) => void set(handle(turn), "j", "b"), after: "dying" },
        reader: reads(["k"]),
      },
      kill: ["dying"],
      racyAfter: everyWordOf(buffer),
      // A million states and half a minute when plain code has steps of its own.
      blocks: process.env["BUN_SHM_SOAK"] === undefined ? "joined" : "apart",
      check: ({ notes }) => expect(["a", "absent"]).toContain((notes["reader"] as [string])[0]),
    });
    console.log(`map, killed while read: ${schedules} schedules, ${states} states`);
  });
});
