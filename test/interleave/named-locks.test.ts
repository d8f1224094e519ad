/**
 * Every interleaving, and every instant of death, of requests for one name: never two that exclude
 * each other hold it, they come in their order, and nobody waits for ever.
 */
import { describe, expect, test } from "bun:test";
import { REQUEST_HELD, REQUEST_STOLEN } from "../../src/layout/named-locks-layout.ts";
import { namedLocksLength } from "../../src/locks/algorithm/named-locks-memory.ts";
import type { Manner } from "../../src/locks/algorithm/named-locks-queues.ts";
import type { NamedLocksTable } from "../../src/locks/algorithm/named-locks-table.ts";
import { store } from "../../src/memory/atomics.ts";
import { localTable, lockKey, quietSystem } from "../locks/local-named-locks.ts";
import { type Model, type Participant, type Turn, describeReport, explore } from "./walker.ts";

const SHAPE = { names: 2, requests: 4 };
const KEY = lockKey("k");
/** Kernel locks: the table's, and one for the life of each participant from here on. */
const TABLE = 0;
const LIVES = 1;

interface Ask {
  readonly isShared?: boolean;
  readonly manner?: Manner;
  /** Gives up instead of waiting. */
  readonly givesUp?: boolean;
  /** Waits for holders that may die, and so looks unasked. */
  readonly looks?: boolean;
  readonly after?: string;
}

class Walked {
  readonly buffer: ArrayBuffer = new ArrayBuffer(namedLocksLength(SHAPE) + 128);
  readonly words: Int32Array = new Int32Array(this.buffer);
  /** Whether the lock's owner is at work, as the lock knows by itself. */
  readonly #busy: number = namedLocksLength(SHAPE) >> 2;

  constructor() {
    localTable(
      SHAPE,
      1,
      quietSystem(() => true),
      this.buffer,
    ).table.create();
  }

  table(participant: number, turn?: Turn): NamedLocksTable {
    const { words } = this;
    let locked = 0;
    const system = {
      ...quietSystem((other) => turn === undefined || turn.isLocked(LIVES + other)),
      lock: (): boolean => {
        if (turn === undefined) return false;
        while (!turn.tryLock(TABLE)) {
          turn.pause();
          // How often it looked does not matter; what it has done so far does.
          turn.forget(locked);
        }
        locked++;
        const died = words[this.#busy] === 1;
        store(words, this.#busy, 1);
        return died;
      },
      unlock: (): void => {
        if (turn === undefined) return;
        store(words, this.#busy, 0);
        turn.unlock(TABLE);
      },
    };
    return localTable(SHAPE, participant, system, this.buffer).table;
  }

  /** @returns A program that asks once, holds, and releases. */
  asking(participant: number, ask: Ask = {}): Participant {
    const { isShared = false, manner = "wait", givesUp = false, looks = false, after } = ask;
    return {
      locks: [LIVES + participant],
      ...(after === undefined ? {} : { after }),
      run: (turn) => {
        const table = this.table(participant, turn);
        const request = table.enter(KEY, isShared, manner);
        if (request === 0) return turn.note("not available");
        const number = table.numberOf(request);
        turn.note(number);
        for (;;) {
          const state = table.stateOf(request, number);
          if (state === REQUEST_HELD || state === REQUEST_STOLEN) break;
          if (givesUp) {
            table.leave(request, number);
            return turn.note("gave up");
          }
          if (looks) turn.rest();
          else turn.pause();
          turn.forget(request);
          if (looks) table.examine(request, number);
        }
        turn.note(isShared ? "shared" : "exclusive");
        const state = table.leave(request, number);
        turn.note(state === REQUEST_HELD ? "released" : "stolen");
      },
    };
  }

  /** Says which of them hold, by the marks: a killed one may hold until somebody looks. */
  check = (words: Int32Array): void => {
    let [shared, exclusive] = [0, 0];
    const { memory } = localTable(
      SHAPE,
      1,
      quietSystem(() => true),
      this.buffer,
    );
    for (let request = 1; request <= SHAPE.requests; request++) {
      const mark = words[memory.requestAt(request)]!;
      if (mark === REQUEST_HELD) exclusive++;
      else if ((mark & 3) === REQUEST_HELD) shared++;
    }
    if (exclusive > 1 || (exclusive === 1 && shared > 0)) {
      throw new Error(`${exclusive} exclusive and ${shared} shared hold it`);
    }
  };

  /** That a new request gets the name at once when all are gone, and the table is empty then. */
  expectEmpty(dead: readonly number[] = []): void {
    const system = quietSystem((participant) => !dead.includes(participant));
    let isFirst = true;
    const inherited = { ...system, lock: () => isFirst && ((isFirst = false), true) };
    const { table } = localTable(SHAPE, 9, inherited, this.buffer);
    const request = table.enter(KEY, false, "wait");
    const number = table.numberOf(request);
    expect(table.stateOf(request, number)).toBe(REQUEST_HELD);
    expect(table.list().length).toBe(1);
    table.leave(request, number);
    expect(table.list()).toEqual([]);
  }
}

function walk(
  what: string,
  walked: Walked,
  participants: Record<string, Participant>,
  more: Partial<Model> = {},
): void {
  const report = explore({
    buffer: walked.buffer,
    participants,
    always: walked.check,
    check: () => walked.expectEmpty(),
    ...more,
  });
  console.log(describeReport(what, report));
}

describe("requests for one name", () => {
  test.each([
    ["exclusive, exclusive", false, false],
    ["exclusive, shared", false, true],
    ["shared, shared", true, true],
  ])("two, %s", (what, a, b) => {
    const walked = new Walked();
    walk(`two, ${what}`, walked, {
      a: walked.asking(1, { isShared: a }),
      b: walked.asking(2, { isShared: b }),
    });
  });

  test("three, of which one gives up", () => {
    const walked = new Walked();
    walk("three, one gives up", walked, {
      a: walked.asking(1, { isShared: true }),
      b: walked.asking(2, { givesUp: true }),
      c: walked.asking(3, { isShared: true }),
    });
  });

  test("a thief", () => {
    const walked = new Walked();
    const ends = new Set<unknown>();
    walk(
      "a thief",
      walked,
      {
        a: walked.asking(1),
        thief: walked.asking(2, { manner: "steal" }),
        c: walked.asking(3),
      },
      {
        check({ notes }) {
          walked.expectEmpty();
          for (const who of ["a", "thief", "c"]) ends.add(`${who} ${notes[who]!.at(-1)}`);
        },
      },
    );
    expect([...ends].sort()).toEqual([
      "a released",
      "a stolen",
      "c released",
      "c stolen",
      "thief released",
    ]);
  });

  test.each([
    ["exclusive", false, "wait"],
    ["shared", true, "wait"],
    ["thief", false, "steal"],
  ] as const)("one is killed at any instant: %s", (what, isShared, manner) => {
    const walked = new Walked();
    let kills = 0;
    walk(
      `killed, ${what}`,
      walked,
      {
        dying: walked.asking(1, { isShared, manner }),
        b: walked.asking(2, { looks: true }),
      },
      {
        kill: ["dying"],
        check({ notes, killed }) {
          walked.expectEmpty(killed.length > 0 ? [1] : []);
          kills += killed.length;
          expect(["released", "stolen"]).toContain(notes["b"]!.at(-1) as string);
        },
      },
    );
    expect(kills).toBeGreaterThan(100);
  });

  test("one is killed at any instant, and two come afterwards", () => {
    const walked = new Walked();
    walk(
      "killed, and two come",
      walked,
      {
        dying: walked.asking(1),
        b: walked.asking(2, { after: "dying", isShared: true, looks: true }),
        c: walked.asking(3, { after: "dying", looks: true }),
      },
      {
        kill: ["dying"],
        check({ notes, killed }) {
          walked.expectEmpty(killed.length > 0 ? [1] : []);
          if (killed.length === 0) return;
          for (const who of ["b", "c"]) expect(notes[who]!.at(-1)).toBe("released");
        },
      },
    );
  });
});
