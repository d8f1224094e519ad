/**
 * Every interleaving, and every instant of death, of small programs over the directory and the
 * seats of meters. The lock of the meters and those of seats are the kernel's here: they die with
 * their holder, and the lock that they stand for has a test of its own.
 */
import { describe, expect, test } from "bun:test";
import { METERS_HEAD_LENGTH, PAGE_LENGTH } from "../../src/layout/meters-layout.ts";
import { store } from "../../src/memory/atomics.ts";
import type { MeterShape } from "../../src/meters/algorithm/meter-shape.ts";
import { type MeterSeries, MetersDirectory } from "../../src/meters/algorithm/meters-directory.ts";
import { MetersMemory } from "../../src/meters/algorithm/meters-memory.ts";
import { MetersPages } from "../../src/meters/algorithm/meters-pages.ts";
import { MetersSeat } from "../../src/meters/algorithm/meters-seats.ts";
import { type Turn, explore } from "./walker.ts";

const PAGES = 4;
const DIRECTORY_LENGTH = 512;
const LENGTH = METERS_HEAD_LENGTH + DIRECTORY_LENGTH * 2 + PAGES * PAGE_LENGTH + 128;
const LOCK = 0;
const SEATS = 1;

const shapeOf = (name: string, more: Partial<MeterShape> = {}): MeterShape => ({
  name,
  help: "h",
  type: "counter",
  aggregate: "sum",
  whenDead: "keep",
  labels: [],
  bounds: [],
  ...more,
});

interface Handle {
  readonly memory: MetersMemory;
  readonly directory: MetersDirectory;
  readonly pages: MetersPages;
  readonly seat: MetersSeat;
  /** Finds a metric, or makes it. */
  family(shape: MeterShape): MeterSeries;
}

/**
 * @param waiting What a participant knows while it waits for the lock, beside its notes; undefined
 *   where that is more than a text says.
 */
function handleOf(buffer: ArrayBuffer, turn: Turn, waiting?: string): Handle {
  const memory = new MetersMemory(buffer, 0, buffer.byteLength, "meters");
  const directory = new MetersDirectory(memory);
  const lock = {
    lock(): void {
      while (!turn.tryLock(LOCK)) {
        turn.pause();
        if (waiting !== undefined) turn.forget(waiting);
      }
    },
    unlock: () => turn.unlock(LOCK),
  };
  const isHeld = (page: number): boolean => turn.isLocked(SEATS + page);
  const seat = new MetersSeat(memory, directory, lock, {
    isHeld,
    tryTake: (page) => turn.tryLock(SEATS + page),
    release: (page) => turn.unlock(SEATS + page),
  });
  return {
    memory,
    directory,
    pages: new MetersPages(memory, directory, isHeld),
    seat,
    family(shape) {
      lock.lock();
      directory.sync();
      const family = directory.find(shape.name) ?? directory.addFamily(shape);
      lock.unlock();
      return family!.list[0]!;
    },
  };
}

/** A handle outside of the model, over a copy of what is left. @param alive The seats with owners. */
function lookAt(buffer: ArrayBuffer, alive: readonly number[] = []): Handle {
  const turn = { isLocked: (lock: number) => alive.includes(lock - SEATS) } as unknown as Turn;
  const handle = handleOf(buffer.slice(0), turn);
  handle.pages.refresh();
  return handle;
}

function freshBuffer(...shapes: readonly MeterShape[]): ArrayBuffer {
  const buffer = new ArrayBuffer(LENGTH);
  const memory = new MetersMemory(buffer, 0, LENGTH, "meters");
  const directory = new MetersDirectory(memory);
  for (const shape of shapes) directory.addFamily(shape);
  return buffer;
}

describe("the directory", () => {
  const maker = (buffer: ArrayBuffer, ...names: readonly string[]) => ({
    run: (turn: Turn): void => {
      const handle = handleOf(buffer, turn);
      for (const name of names) turn.note(handle.family(shapeOf(name)).cell);
    },
  });

  test("two make the same metric once, and a reader sees only whole entries", () => {
    const buffer = freshBuffer();
    const { schedules } = explore({
      buffer,
      participants: {
        a: maker(buffer, "x", "y"),
        b: maker(buffer, "y", "x"),
        reader: {
          run(turn) {
            const handle = handleOf(buffer, turn);
            for (let look = 0; look < 2; look++) {
              handle.directory.sync();
              turn.note([...handle.directory.families].map(({ shape }) => shape.name).length);
            }
          },
        },
      },
      check({ notes }) {
        const { directory } = lookAt(buffer);
        expect([...directory.families].map(({ shape }) => shape.name).sort()).toEqual(["x", "y"]);
        expect(notes["a"]).toEqual(notes["b"]!.toReversed());
        const [first, second] = notes["reader"] as [number, number];
        expect(second).toBeGreaterThanOrEqual(first);
      },
    });
    console.log(`meters, directory: ${schedules} schedules`);
  });

  test("whoever is killed while it adds leaves nothing half done", () => {
    const buffer = freshBuffer(shapeOf("w"));
    const seen = new Set<string>();
    const { schedules } = explore({
      buffer,
      participants: {
        a: maker(buffer, "x"),
        b: maker(buffer, "y"),
        heir: { ...maker(buffer, "z"), after: "a" },
      },
      kill: ["a"],
      check({ killed }) {
        const { directory } = lookAt(buffer);
        const names = [...directory.families].map(({ shape }) => shape.name).sort();
        if (killed.length === 0) return expect(names).toEqual(["w", "x", "y"]);
        expect(names).toContain("y");
        expect(names).toContain("z");
        seen.add(names.join(""));
      },
    });
    console.log(`meters, directory, killed: ${schedules} schedules`);
    expect([...seen].sort()).toEqual(["wxyz", "wyz"]);
  });
});

describe("seats", () => {
  const counter = shapeOf("c");
  /** Adds one after the other, and says so after each addition. */
  const adder = (buffer: ArrayBuffer, times: number, leaves: boolean) => ({
    run: (turn: Turn): void => {
      const { memory, directory, seat } = handleOf(buffer, turn, "has no seat");
      directory.sync();
      const series = directory.find("c")!.list[0]!;
      for (let time = 0; time < times; time++) {
        turn.note("begun");
        const at = seat.cellsOf(series);
        memory.cells[at]! += 1;
        // A step of its own, so that a kill may come between an addition and its confirmation.
        store(memory.words, 0, 0);
        turn.note("added");
      }
      if (leaves) seat.leave();
    },
  });
  const count = (notes: Readonly<Record<string, readonly unknown[]>>, note: string): number =>
    Object.values(notes)
      .flat()
      .filter((each) => each === note).length;

  test("handles that come and go lose no addition, and share no cell", () => {
    const buffer = freshBuffer(counter);
    const seats = new Set<number>();
    const { schedules } = explore({
      buffer,
      participants: {
        a: adder(buffer, 2, true),
        b: adder(buffer, 1, true),
        c: adder(buffer, 1, false),
      },
      check({ notes }) {
        const { pages, directory } = lookAt(buffer);
        expect(pages.counter(directory.find("c")!.list[0]!)).toBe(count(notes, "added"));
        expect(count(notes, "added")).toBe(4);
        seats.add(pages.seatCount);
      },
    });
    console.log(`meters, seats: ${schedules} schedules`);
    // Where they do not overlap, they take each other's place.
    expect([...seats].sort()).toEqual([1, 2, 3]);
  });

  test("killed at any instant, the sum is what was confirmed, or one more", () => {
    const buffer = freshBuffer(counter);
    const sums = new Set<string>();
    const adopted = new Set<number>();
    const { schedules } = explore({
      buffer,
      participants: {
        a: adder(buffer, 2, true),
        b: adder(buffer, 1, true),
        heir: { ...adder(buffer, 1, false), after: "a" },
      },
      kill: ["a", "heir"],
      kills: 2,
      check({ notes, killed }) {
        const { pages, directory } = lookAt(buffer);
        const sum = pages.counter(directory.find("c")!.list[0]!);
        expect(sum).toBeGreaterThanOrEqual(count(notes, "added"));
        expect(sum).toBeLessThanOrEqual(count(notes, "begun"));
        if (killed.length === 0) expect(sum).toBe(3);
        sums.add(`${count(notes, "begun")}: ${sum}`);
        adopted.add(pages.seatCount);
      },
    });
    console.log(`meters, seats, killed: ${schedules} schedules, ${[...sums].sort().join(", ")}`);
    expect(adopted.has(1)).toBe(true);
  });

  test("a scrape never counts a gauge of the dead that drops, nor one twice", () => {
    const buffer = freshBuffer(shapeOf("g", { type: "gauge", whenDead: "drop" }), counter);
    const seen = new Set<number>();
    const setter = (value: number) => ({
      run: (turn: Turn): void => {
        const { memory, directory, seat } = handleOf(buffer, turn);
        directory.sync();
        const cell = seat.cellsOf(directory.find("g")!.list[0]!);
        // Whoever takes a place finds no value of the one before.
        turn.note(memory.cells[cell]);
        memory.cells[cell] = value;
        memory.cells[seat.cellsOf(directory.find("c")!.list[0]!)]! += 1;
        store(memory.words, 0, 0);
        turn.note("set");
      },
    });
    const { schedules } = explore({
      buffer,
      participants: {
        a: setter(10),
        heir: { ...setter(100), after: "a" },
        reader: {
          run(turn) {
            const { pages, directory } = handleOf(buffer, turn);
            pages.refresh();
            turn.note(pages.gauge(directory.find("g")!.list[0]!));
          },
          after: "a",
        },
      },
      kill: ["a", "heir"],
      kills: 2,
      check({ notes, killed }) {
        for (const name of ["a", "heir"]) {
          if (notes[name] !== undefined && notes[name].length > 0) expect(notes[name][0]).toBe(0);
        }
        const { pages, directory } = lookAt(buffer);
        const added = Object.values(notes)
          .flat()
          .filter((note) => note === "set").length;
        const counted = pages.counter(directory.find("c")!.list[0]!);
        expect(counted).toBeGreaterThanOrEqual(added);
        expect(counted).toBeLessThanOrEqual(added + killed.length);
        // Nobody lives here.
        expect(pages.gauge(directory.find("g")!.list[0]!)).toBe(0);
        const found = notes["reader"]?.[0];
        if (found === undefined) return;
        expect([0, 100]).toContain(found as number);
        seen.add(found as number);
      },
    });
    console.log(`meters, gauges: ${schedules} schedules`);
    expect([...seen].sort()).toEqual([0, 100]);
  });

  test("a series of several blocks gets all of its pages, or none", () => {
    const bounds = Array.from({ length: 70 }, (_, at) => at);
    const wide = shapeOf("h", { type: "histogram", bounds });
    const buffer = new ArrayBuffer(LENGTH + 2048);
    new MetersDirectory(new MetersMemory(buffer, 0, buffer.byteLength, "meters")).addFamily(wide);
    const observer = {
      run: (turn: Turn): void => {
        const { directory, seat } = handleOf(buffer, turn);
        directory.sync();
        turn.note(seat.cellsOf(directory.find("h")!.list[0]!) >= 0);
      },
    };
    const { schedules } = explore({
      buffer,
      participants: { a: observer, heir: { ...observer, after: "a" }, b: observer },
      kill: ["a"],
      check() {
        const { pages, directory } = lookAt(buffer);
        expect(pages.pageCount % 2).toBe(0);
        // It throws where the pages do not lie one behind the other.
        expect(pages.histogram(directory.find("h")!.list[0]!).count).toBe(0);
      },
    });
    console.log(`meters, several blocks: ${schedules} schedules`);
  });
});
