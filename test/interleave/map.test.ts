/**
 * Every interleaving, and every instant of death, of small programs over a map: its entries, its
 * loads, its log.
 */
import { describe, expect, test } from "bun:test";
import {
  FREE_COUNT_WORD,
  HIDDEN_COUNT_WORD,
  LOG_POSITION_WORD,
  LOG_RESERVED_WORD,
  MAP_HEAD_LENGTH,
  STRIPE_HEAD_WORDS,
  WATCHED_WORD,
} from "../../src/layout/map-layout.ts";
import { MapLists } from "../../src/map/algorithm/map-lists.ts";
import { LOADED, MINE, MapLoads, OTHERS } from "../../src/map/algorithm/map-loads.ts";
import { MapLogReader } from "../../src/map/algorithm/map-log.ts";
import { MapMemory } from "../../src/map/algorithm/map-memory.ts";
import { ABSENT, MapReader } from "../../src/map/algorithm/map-reader.ts";
import { rebuild } from "../../src/map/algorithm/map-repair.ts";
import { type MapShape, mapLength } from "../../src/map/algorithm/map-shape.ts";
import { MapDraft } from "../../src/map/algorithm/map-units.ts";
import { ANYTHING, MapWriter, STORED } from "../../src/map/algorithm/map-writer.ts";
import { load, store } from "../../src/memory/atomics.ts";
import { HashedKey } from "../../src/struct/hashed-key.ts";
import { Scratch } from "../../src/struct/scratch.ts";
import { type Turn, explore } from "./walker.ts";

interface Handle {
  /** What a participant does next, if that and its notes say all: see `Turn.forget`. */
  phase?: unknown;
  readonly memory: MapMemory;
  readonly reader: MapReader;
  readonly writer: MapWriter;
  readonly loads: MapLoads;
  readonly found: Scratch;
}

/** Takes a lock that dies with its owner. */
function lock(turn: Turn): void {
  while (!turn.tryLock(0)) turn.pause();
}

/** Readers here race with the writer on purpose, wherever they are. */
function everyWordOf({ byteLength }: ArrayBuffer): number[] {
  return Array.from({ length: byteLength >> 2 }, (_, index) => index);
}

describe("map", () => {
  const SHAPE: MapShape = { stripeCount: 1, bucketCount: 1, unitCount: 8, unitWords: 16 };
  const MAP_BYTES = mapLength(SHAPE);
  // No entry here expires.
  const CLOCK = { boot: 1, nowMs: () => 0 };
  // One more word says that the lock's owner is at work, as a robust mutex knows by itself.
  const buffer = new ArrayBuffer(MAP_BYTES + 128);
  const busy = MAP_BYTES >> 2;
  const words = new Int32Array(buffer);
  const STRIPE = MAP_HEAD_LENGTH >> 2;

  /** A handle, as each process has its own. */
  function handle(turn?: Turn, memoryOf = buffer, logWords?: number): Handle {
    const memory = new MapMemory(memoryOf, 0, SHAPE, CLOCK);
    // A log of a few words, which is soon full.
    if (logWords !== undefined) Object.assign(memory, { logWords });
    const found = new Scratch(1000);
    const made: { phase?: unknown } = {};
    const system = {
      lock(): boolean {
        if (turn === undefined) return new Int32Array(memoryOf)[busy] === 1;
        while (!turn.tryLock(0)) {
          turn.pause();
          if (made.phase !== undefined) turn.forget(made.phase);
        }
        const died = words[busy] === 1;
        store(words, busy, 1);
        return died;
      },
      unlock(): void {
        if (turn === undefined) return;
        store(words, busy, 0);
        turn.unlock(0);
      },
      // A participant holds the kernel's lock of its number while it lives.
      isAlive: (number: number) => turn?.isLocked(number) ?? false,
      wakeWatchers() {},
      wakeLoads() {},
    };
    const reader = new MapReader(memory, found);
    const writer = new MapWriter(memory, system, false);
    const loads = new MapLoads(memory, writer, { reader, found }, system.isAlive);
    return Object.assign(made, { memory, reader, writer, loads, found });
  }

  const keyOf = (name: string): HashedKey => {
    const key = new HashedKey(1, 2);
    key.set(name);
    return key;
  };
  /** Bytes of a value, which takes two units. */
  const LENGTH = 72;
  /** Bytes of one that takes one, where that does not matter. */
  const SHORT = 8;
  /** A value: its letter, repeated. */
  const draftOf = (letter: string, length = LENGTH): MapDraft => {
    const draft = new MapDraft(new Scratch(1000));
    draft.value.bytes.fill(letter.charCodeAt(0), 0, length);
    draft.length = length;
    return draft;
  };
  const set = (map: Handle, name: string, letter: string): boolean =>
    map.writer.set(keyOf(name), draftOf(letter), ANYTHING) === STORED;
  /** The letter that the value consists of, "absent", or "torn". */
  const get = (map: Handle, name: string): string => {
    const length = map.reader.read(keyOf(name));
    if (length === ABSENT) return "absent";
    const letters = new Set(map.found.bytes.subarray(0, length));
    return letters.size === 1 && (length === LENGTH || length === SHORT)
      ? String.fromCharCode([...letters][0]!)
      : "torn";
  };
  const prepare = (entries: Record<string, string>): void => {
    words.fill(0);
    const map = handle();
    rebuild(new MapMemory(buffer, 0, SHAPE, CLOCK), STRIPE);
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
        expect(words[STRIPE + FREE_COUNT_WORD]).toBe(7 - 4);
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
        expect(words[STRIPE + FREE_COUNT_WORD]).toBe(7 - 4);
      },
    });
    console.log(`map, killed: ${schedules} schedules, ${states} states`);
    expect([...outcomes].sort()).toEqual(["a", "b"]);
  });

  test("a reader at an entry that a dead writer took out is not misled by its repair", () => {
    prepare({ k: "a" });
    const slot = words.findIndex((word, at) => at >= STRIPE + STRIPE_HEAD_WORDS && word !== 0);
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

  describe("loads", () => {
    /** Gets the value of "k", and loads it if nobody else does. Notes what it did. */
    const loader = (number: number, letter: string) => ({
      locks: [number],
      run(turn: Turn): void {
        const map = turn.atomically(() => handle(turn));
        const { loads } = map;
        const key = keyOf("k");
        for (;;) {
          map.phase = "claim";
          const claim = loads.claim(key, number, number);
          if (claim === MINE) {
            turn.note("load");
            map.phase = "finish";
            loads.finish(key, number, number, measured(map, draftOf(letter, SHORT)));
            break;
          }
          if (claim === LOADED) break;
          expect(claim).toBe(OTHERS);
          // As if `isOver` had said so.
          turn.pause();
        }
        turn.note(get(map, "k"));
      },
    });
    const measured = ({ writer }: Handle, draft: MapDraft): MapDraft => {
      writer.measure(keyOf("k"), draft);
      return draft;
    };

    test("of two that want a value one loads it, and both get it", () => {
      prepare({});
      const { schedules, states } = explore({
        buffer,
        participants: { a: loader(1, "a"), b: loader(2, "b") },
        blocks: "joined",
        check({ notes }) {
          const [a, b] = [notes["a"]!, notes["b"]!];
          expect([...a, ...b].filter((note) => note === "load")).toHaveLength(1);
          expect(a.at(-1)).toBe(b.at(-1)!);
          expect(["a", "b"]).toContain(a.at(-1) as string);
          expect(words[STRIPE + HIDDEN_COUNT_WORD]).toBe(0);
        },
      });
      console.log(`map, loads: ${schedules} schedules, ${states} states`);
    });

    test("one that is killed at any instant is replaced, and loads once more at most", () => {
      prepare({});
      const seen = new Set<string>();
      const { schedules, states } = explore({
        buffer,
        participants: { a: loader(1, "a"), b: loader(2, "b") },
        kill: ["a"],
        blocks: "joined",
        check({ notes, killed }) {
          const loads = [...notes["a"]!, ...notes["b"]!].filter((note) => note === "load").length;
          expect(loads).toBeLessThanOrEqual(1 + killed.length);
          const value = notes["b"]!.at(-1) as string;
          // What one loaded before it was killed counts, if it was stored.
          expect(["a", "b"]).toContain(value);
          seen.add(`${killed.length} ${loads} ${value}`);
        },
      });
      console.log(`map, loader killed: ${schedules} schedules, ${states} states`);
      expect([...seen].sort()).toEqual(["0 1 a", "0 1 b", "1 1 a", "1 1 b", "1 2 b"]);
    });

    test("those who wait see that a load is over, or that its loader is dead", () => {
      prepare({});
      expect(handle().loads.claim(keyOf("k"), 1, 7)).toBe(MINE);
      const seen = new Set<unknown>();
      const { schedules, states } = explore({
        buffer,
        participants: {
          a: {
            locks: [1],
            run(turn) {
              const map = turn.atomically(() => handle(turn));
              map.loads.finish(keyOf("k"), 1, 7, measured(map, draftOf("a", SHORT)));
            },
          },
          b: {
            run(turn) {
              const { loads } = turn.atomically(() => handle(turn));
              turn.note(loads.isOver(keyOf("k"), 1, 7, true));
            },
          },
        },
        kill: ["a"],
        // That each of its two reads sees whole entries is walked above.
        blocks: "joined",
        check({ notes }) {
          seen.add(notes["b"]![0]);
          const { loads } = handle(undefined, buffer.slice(0));
          expect(loads.isOver(keyOf("k"), 1, 7, true)).toBe(true);
        },
      });
      console.log(`map, load over: ${schedules} schedules, ${states} states`);
      expect([...seen].sort()).toEqual([false, true]);
    });

    test("what was loaded before the key was removed is not stored after that", () => {
      prepare({});
      const claimed = busy + 1;
      const seen = new Set<string>();
      const { schedules, states } = explore({
        buffer,
        participants: {
          a: {
            locks: [1],
            run(turn) {
              const map = turn.atomically(() => handle(turn));
              const key = keyOf("k");
              expect(map.loads.claim(key, 1, 1)).toBe(MINE);
              store(words, claimed, 1);
              map.loads.finish(key, 1, 1, measured(map, draftOf("a", SHORT)));
            },
          },
          b: {
            run(turn) {
              const map = turn.atomically(() => handle(turn));
              turn.note(load(words, claimed));
              map.writer.delete(keyOf("k"));
            },
          },
        },
        blocks: "joined",
        check({ notes }) {
          const value = get(handle(undefined, buffer.slice(0)), "k");
          if (notes["b"]![0] === 1) expect(value).toBe("absent");
          expect(words[STRIPE + HIDDEN_COUNT_WORD]).toBe(0);
          seen.add(value);
        },
      });
      console.log(`map, load ended: ${schedules} schedules, ${states} states`);
      expect([...seen].sort()).toEqual(["a", "absent"]);
    });
  });

  describe("lists", () => {
    /** Pushes (a letter, to the right; with "<" before it, to the left) and pops (">" and "<"). */
    const calls = (all: readonly string[]) => ({
      run(turn: Turn): void {
        const map = turn.atomically(() => handle(turn));
        const lists = turn.atomically(() => new MapLists(map.memory, map.writer));
        for (const call of all) {
          map.phase = call;
          turn.note(callOf(map, lists, call));
        }
      },
    });
    const callOf = ({ found }: Handle, lists: MapLists, call: string): number | string => {
      const atLeft = call[0] === "<";
      const letter = call.at(-1)!;
      if (letter !== "<" && letter !== ">") {
        return lists.push(keyOf("l"), draftOf(letter, SHORT), atLeft);
      }
      const length = lists.pop(keyOf("l"), found, atLeft);
      return length === ABSENT ? "none" : String.fromCharCode(found.bytes[0]!);
    };
    /** What is in the list in the end, after which all units are free. */
    const left = (): string => {
      const map = handle(undefined, buffer.slice(0));
      const lists = new MapLists(map.memory, map.writer);
      let all = "";
      for (;;) {
        const letter = callOf(map, lists, "<");
        if (letter === "none") break;
        all += String(letter);
      }
      expect(map.memory.words[STRIPE + FREE_COUNT_WORD]).toBe(7);
      return all;
    };
    const fill = (letters: string): void => {
      prepare({});
      const map = handle();
      const lists = new MapLists(map.memory, map.writer);
      for (const letter of letters) callOf(map, lists, letter);
    };

    test.each([
      ["a", "b", "ab"],
      ["a", "<b", "ba"],
      ["a", "<", ""],
      ["", "a", "a"],
      ["abc", "<", "bc"],
      ["abc", ">", "ab"],
      ["abc", "d", "abcd"],
      ["abc", "<d", "dabc"],
    ])(
      "of %p, killed at any instant of %p, is left what was or what will be",
      (was, call, will) => {
        fill(was);
        const seen = new Set<string>();
        explore({
          buffer,
          participants: { dying: calls([call]) },
          kill: ["dying"],
          check: () => void seen.add(left()),
        });
        expect([...seen].sort()).toEqual([was, will].sort());
      },
    );

    test("two that push and pop get each element once", () => {
      fill("a");
      const { schedules } = explore({
        buffer,
        participants: { one: calls(["b", "<"]), two: calls(["<", ">"]) },
        check({ notes }) {
          const got = [...notes["one"]!, ...notes["two"]!].map(String);
          const letters = got.filter((note) => /^[ab]$/.test(note));
          expect([...letters, ...left()].sort()).toEqual(["a", "b"]);
        },
      });
      console.log(`map, lists: ${schedules} schedules`);
    });
  });

  describe("log", () => {
    /** Changes "k" and "j". */
    const changer = (changes: readonly string[], logWords: number) => ({
      run(turn: Turn): void {
        const map = turn.atomically(() => handle(turn, buffer, logWords));
        for (const [at, change] of changes.entries()) {
          map.phase = at;
          const name = change[0]!;
          if (change.length === 1) map.writer.delete(keyOf(name));
          else set(map, name, change[1]!);
        }
      },
    });

    /** A copy that is kept by what the log says. */
    class Copy {
      readonly values: Record<string, string> = {};
      readonly #log: MapLogReader;
      readonly #map: Handle;
      /** Reads a key in one step: how they are read is walked elsewhere. */
      readonly #get: (name: string) => string;

      constructor(map: Handle, log: MapLogReader, read: (name: string) => string) {
        this.#map = map;
        this.#log = log;
        this.#get = read;
      }

      changed(_: number, start: number, length: number): void {
        const name = this.#log.copy.node.toString("latin1", start, start + length);
        if (name in this.values) this.values[name] = this.#get(name);
      }

      skipped(): void {
        for (const name of ["j", "k"]) this.values[name] = this.#get(name);
      }

      begin(): void {
        this.#map.phase = { ...this.values };
        this.#map.writer.lock(0);
        this.#log.begin(0);
        this.#map.writer.unlock(0);
        this.skipped();
      }

      look(): void {
        if (this.#log.read(0, this)) this.begin();
      }
    }

    const START = { j: "z", k: "a" };

    /** Begins, looks once, and notes what it has, and how far it has read. */
    const watcher = (logWords: number, hasBegun = false) => ({
      run(turn: Turn): void {
        const map = turn.atomically(() => handle(turn, buffer, logWords));
        const log = turn.atomically(() => new MapLogReader(map.memory));
        const copy = new Copy(map, log, (name) => turn.atomically(() => get(map, name)));
        if (hasBegun) Object.assign(copy.values, START);
        else copy.begin();
        copy.look();
        turn.note({ values: copy.values, position: log.positions[0] });
      },
    });

    /** When all is done, one more look makes the copy the map. */
    const expectCopy = (note: unknown, logWords: number): void => {
      const { values, position } = note as { values: object; position: number };
      const map = handle(undefined, buffer.slice(0), logWords);
      // It changes nothing, and repairs what a dead writer left.
      map.writer.delete(keyOf("i"));
      const log = new MapLogReader(map.memory);
      const copy = new Copy(map, log, (name) => get(map, name));
      Object.assign(copy.values, values);
      log.positions[0] = position;
      copy.look();
      expect(copy.values).toEqual({ j: get(map, "j"), k: get(map, "k") });
    };

    /** After accesses to these the log is written and copied. */
    const logWordsOf = [WATCHED_WORD, LOG_POSITION_WORD, LOG_RESERVED_WORD].map(
      (word) => STRIPE + word,
    );

    test.each([
      ["a set", ["kb"], 512, false],
      ["more than the log holds", ["j", "k"], 2, true],
      // Millions of states: in the long form alone.
      ...(process.env["BUN_SHM_SOAK"] === undefined
        ? []
        : ([
            ["a removal and a set", ["j", "kb"], 512, false],
            ["more than the log holds, from the beginning", ["j", "k"], 2, false],
            ["more than the log holds, in two laps", ["j", "k", "kb", "i"], 4, true],
          ] as const)),
    ] as const)("a watcher's copy is the map after %s", (_, changes, logWords, hasBegun) => {
      prepare(START);
      if (hasBegun) new MapLogReader(handle().memory).begin(0);
      const { schedules, states } = explore({
        buffer,
        participants: { writer: changer(changes, logWords), watcher: watcher(logWords, hasBegun) },
        blocks: "joined",
        racyAfter: logWordsOf,
        check: ({ notes }) => expectCopy(notes["watcher"]![0], logWords),
      });
      console.log(`map, log of ${logWords}: ${schedules} schedules, ${states} states`);
    });

    test("so it is where the writer is killed at any instant", () => {
      prepare(START);
      const { schedules, states } = explore({
        buffer,
        participants: {
          dying: changer(["kb"], 512),
          watcher: watcher(512),
        },
        kill: ["dying"],
        blocks: "joined",
        racyAfter: logWordsOf,
        check: ({ notes }) => expectCopy(notes["watcher"]![0], 512),
      });
      console.log(`map, log, killed: ${schedules} schedules, ${states} states`);
    });
  });
});
