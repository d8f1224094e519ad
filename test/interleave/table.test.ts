/**
 * Every interleaving, and every instant of death, of small programs over the rows, the counters and
 * the names of a table.
 */
import { describe, expect, test } from "bun:test";
import { store } from "../../src/memory/atomics.ts";
import { HashedKey } from "../../src/struct/hashed-key.ts";
import { NO_ROW, TableNames } from "../../src/table/algorithm/table-names.ts";
import { TableRows } from "../../src/table/algorithm/table-rows.ts";
import { type TableShape, placesOf } from "../../src/table/algorithm/table-shape.ts";
import { type Seen, TableWatch } from "../../src/table/algorithm/table-watch.ts";
import { type Participant, type Turn, explore } from "./walker.ts";

// One stripe with two blocks of two rows.
const SHAPE: TableShape = { rows: 4, blockRows: 2, stripeCount: 1, valueLength: 8, nameLength: 4 };
const { end } = placesOf(SHAPE);
// One more word says that the lock's owner is at work, as a robust mutex knows by itself.
const buffer = new ArrayBuffer(end + 128);
const busy = end >> 2;
const words = new Int32Array(buffer);
// Copies race on purpose, and come after a look at a row's versions.
const racyAfter = [0, 1, 2, 3].flatMap((row) => {
  const { first, stride } = new TableRows(buffer, 0, SHAPE);
  return [0, 1, 2].map((word) => first + row * stride + word);
});
/** Kernel locks. */
const STRIPE = 0;
const NAMES = 1;

function lock(turn: Turn, rows: TableRows): void {
  while (!turn.tryLock(STRIPE)) turn.pause();
  if (words[busy] === 1) rows.repair(0);
  store(words, busy, 1);
}

function unlock(turn: Turn): void {
  store(words, busy, 0);
  turn.unlock(STRIPE);
}

/** Writes values to rows, one after the other. */
const writer = (...values: readonly (readonly [row: number, value: number])[]): Participant => ({
  run(turn) {
    const rows = new TableRows(buffer, 0, SHAPE);
    for (const [row, value] of values) {
      lock(turn, rows);
      rows.write(row, new Uint8Array(8).fill(value));
      unlock(turn);
    }
  },
});

/** The byte that all bytes of a row are; 0 before the first write, -1 for a torn one. */
function valueOf(rows: TableRows, row: number): number {
  const bytes = new Uint8Array(8);
  if (rows.read(row, bytes) === 0) return 0;
  return new Set(bytes).size === 1 ? bytes[0]! : -1;
}

/** Looks as often as it says, and notes what it has seen, from which others go on. */
const watcher = (looks: number): Participant => ({
  run(turn) {
    const rows = new TableRows(buffer, 0, SHAPE);
    const seen = nothingSeen();
    const watch = new TableWatch(rows, seen);
    for (let at = 0; at < looks; at++) {
      const found: number[] = [];
      watch.look(found, 10);
      // Who is told reads, which is later than the look.
      for (const row of found) turn.note([row, rows.version(row)]);
    }
    turn.note(structuredClone(seen));
  },
});

function nothingSeen(): Seen {
  const { shape, places } = new TableRows(buffer, 0, SHAPE);
  return {
    versions: new Int32Array(shape.rows),
    counters: new Int32Array(shape.stripeCount * places.counterStride),
    writes: new Int32Array(shape.stripeCount),
    pending: new Uint8Array(shape.stripeCount).fill(1),
  };
}

/** What was read last of each row after it was reported, and of all others what is there. */
function checkSeen(notes: readonly unknown[]): void {
  const rows = new TableRows(buffer.slice(0), 0, SHAPE);
  const last = [0, 0, 0, 0];
  for (const [row, version] of notes.slice(0, -1) as [number, number][]) last[row] = version;
  const found: number[] = [];
  new TableWatch(rows, structuredClone(notes.at(-1) as Seen)).look(found, 10);
  for (const row of found) last[row] = rows.version(row);
  expect(last).toEqual([0, 1, 2, 3].map((row) => rows.version(row)));
}

function rowsNow(): number[] {
  const rows = new TableRows(buffer.slice(0), 0, SHAPE);
  return [0, 1, 2, 3].map((row) => valueOf(rows, row));
}

describe("rows", () => {
  // With its plain copies as steps of their own, one read alone can be walked through; a third write
  // laps it.
  test.each([
    ["joined", 2, [1, 2]],
    ["apart", 1, [1, 2, 3]],
  ] as const)("a reader sees whole values, the newer ones later (%s)", (blocks, times, values) => {
    words.fill(0);
    const { schedules } = explore({
      buffer,
      participants: {
        // One writer needs no lock: without it there are far fewer schedules.
        writer: {
          run() {
            const rows = new TableRows(buffer, 0, SHAPE);
            for (const value of values) rows.write(1, new Uint8Array(8).fill(value));
          },
        },
        reader: {
          run(turn) {
            const rows = new TableRows(buffer, 0, SHAPE);
            const bytes = new Uint8Array(8);
            for (let time = 0; time < times; time++) {
              // The value of another version would be torn in a longer one.
              const version = rows.read(1, bytes);
              const isWhole = version === 0 || bytes.every((byte) => byte === version);
              turn.note(isWhole ? version : -1);
            }
          },
        },
      },
      blocks,
      racyAfter,
      stateLimit: 20_000_000,
      check({ notes }) {
        const [first, second = first] = notes["reader"] as [number, number?];
        expect(first).toBeGreaterThanOrEqual(0);
        expect(second).toBeGreaterThanOrEqual(first);
        expect(rowsNow()).toEqual([0, values.length, 0, 0]);
      },
    });
    console.log(`rows, read: ${schedules} schedules`);
  });

  test("a writer killed at any instant leaves the row before or after, and no other one", () => {
    words.fill(0);
    const outcomes = new Set<string>();
    const { schedules } = explore({
      buffer,
      participants: {
        dying: writer([1, 1], [1, 2]),
        next: { ...writer([0, 7]), after: "dying" },
        reader: { run: (turn) => turn.note(valueOf(new TableRows(buffer, 0, SHAPE), 1)) },
      },
      kill: ["dying"],
      blocks: "joined",
      racyAfter,
      check({ notes, killed }) {
        expect([0, 1, 2]).toContain((notes["reader"] as [number])[0]);
        const [first, second, ...others] = rowsNow();
        expect(others).toEqual([0, 0]);
        expect(first).toBe(killed.length > 0 ? 7 : 0);
        if (killed.length > 0) outcomes.add(String(second));
        else expect(second).toBe(2);
      },
    });
    console.log(`rows, killed: ${schedules} schedules`);
    expect([...outcomes].sort()).toEqual(["0", "1", "2"]);
  });
});

describe("watchers", () => {
  test.each([
    ["one row twice", [1, 1], [1, 2]],
    ["two rows of a block", [0, 1], [1, 2]],
    ["two blocks", [0, 1], [3, 2]],
  ] as [string, [number, number], [number, number]][])("lose no change of %s", (_, one, other) => {
    words.fill(0);
    const { schedules } = explore({
      buffer,
      participants: { writer: writer(one, other), watcher: watcher(2) },
      blocks: "joined",
      check: ({ notes }) => checkSeen(notes["watcher"]!),
    });
    console.log(`watched: ${schedules} schedules`);
  });

  test("see what a writer published that was killed at any instant, before and after a repair", () => {
    words.fill(0);
    const unrepaired = new Set<boolean>();
    const { schedules } = explore({
      buffer,
      participants: {
        writer: writer([1, 1]),
        watcher: watcher(1),
        next: { ...writer([3, 7]), after: "writer" },
      },
      kill: ["writer", "next"],
      kills: 2,
      blocks: "joined",
      check({ notes, killed, words: now }) {
        checkSeen(notes["watcher"]!);
        const { counters } = new TableRows(buffer.slice(0), 0, SHAPE);
        const isOdd = ((now[counters]! | now[counters + 1]!) & 1) !== 0;
        if (isOdd) expect(killed.length).toBe(2);
        unrepaired.add(isOdd);
      },
    });
    console.log(`watched, killed: ${schedules} schedules`);
    expect(unrepaired.size).toBe(2);
  });
});

describe("names", () => {
  const keyOf = (name: string): HashedKey => {
    const key = new HashedKey(1, 2, true);
    key.set(name);
    return key;
  };
  const names = (memory = buffer): TableNames => new TableNames(new TableRows(memory, 0, SHAPE), 0);
  const assigner = (...wanted: readonly string[]): Participant => ({
    run(turn) {
      const own = names();
      for (const name of wanted) {
        const key = keyOf(name);
        let row = own.find(key);
        if (row === NO_ROW) {
          while (!turn.tryLock(NAMES)) turn.pause();
          row = own.assign(key);
          turn.unlock(NAMES);
        }
        turn.note([name, row]);
      }
    },
  });
  /** The rows by name, each name once, and all of them found. */
  function namesNow(): Record<string, number> {
    const own = names(buffer.slice(0));
    const all = Array.from({ length: own.count }, (_, row) => own.nameOf(row)!);
    expect(new Set(all).size).toBe(all.length);
    for (const [row, name] of all.entries()) expect(own.find(keyOf(name))).toBe(row);
    return Object.fromEntries(all.map((name, row) => [name, row]));
  }

  test("two that want the same name and others get one row for each", () => {
    words.fill(0);
    const { schedules } = explore({
      buffer,
      participants: { one: assigner("a"), two: assigner("b", "a") },
      blocks: "joined",
      check({ notes }) {
        const now = namesNow();
        expect(Object.keys(now).sort()).toEqual(["a", "b"]);
        for (const [name, row] of [...notes["one"]!, ...notes["two"]!] as [string, number][]) {
          expect(row).toBe(now[name]!);
        }
      },
    });
    console.log(`names: ${schedules} schedules`);
  });

  test("what is found once stays, and is found as soon as it was given", () => {
    words.fill(0);
    const { schedules } = explore({
      buffer,
      participants: {
        assigner: {
          run(turn) {
            const own = names();
            for (const name of ["a", "b"]) {
              own.assign(keyOf(name));
              turn.note(name);
            }
          },
        },
        reader: {
          run(turn) {
            const own = names();
            const count = own.count;
            turn.note([count, own.find(keyOf("a")), own.find(keyOf("b"))]);
          },
        },
      },
      blocks: "joined",
      check({ notes }) {
        const [count, a, b] = (notes["reader"] as [[number, number, number]])[0];
        expect(a === 0 || (a === NO_ROW && count < 1)).toBe(true);
        expect(b === 1 || (b === NO_ROW && count < 2)).toBe(true);
      },
    });
    console.log(`names, found: ${schedules} schedules`);
  });

  test("killed at any instant, an assigner leaves no name twice, and no row is lost", () => {
    words.fill(0);
    const counts = new Set<number>();
    const { schedules } = explore({
      buffer,
      participants: {
        dying: assigner("a", "b"),
        next: { ...assigner("b", "c"), after: "dying" },
      },
      kill: ["dying"],
      blocks: "joined",
      racyAfter,
      stateLimit: 20_000_000,
      check({ notes, killed }) {
        const now = namesNow();
        for (const [name, row] of [...notes["dying"]!, ...notes["next"]!] as [string, number][]) {
          expect(row).toBe(now[name] ?? NO_ROW);
        }
        if (killed.length > 0) counts.add(Object.keys(now).length);
      },
    });
    console.log(`names, killed: ${schedules} schedules`);
    expect([...counts].sort()).toEqual([2, 3]);
  });
});
