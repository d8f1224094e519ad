/** Every interleaving of the lock that all others stand on, with kills at each step. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { LOCK_WORD, NEXT_WORD } from "../../src/layout/lock-layout.ts";
import {
  INHERITED,
  LockCore,
  type LockSystem,
  TAKEN,
  isMine,
} from "../../src/locks/algorithm/lock-core.ts";
import { add, exchange, load } from "../../src/memory/atomics.ts";
import {
  type Model,
  type Outcome,
  type Participant,
  type Turn,
  describeReport,
  explore,
} from "./walker.ts";

setDefaultTimeout(1_800_000);
const LONG = process.env["BUN_SHM_SOAK"] !== undefined;

/** Words: the lock's two; who is inside; and the bell. */
const INSIDE = 2;
const BELL = 3;
const buffer = new ArrayBuffer(4 * 4);
const words = new Int32Array(buffer);

type Sleeping = "until woken" | "in slices";

/** @param patience How many sleeps make a difference: those that a timeout counts. */
function systemOf(
  turn: Turn,
  self: number,
  sleeping: Sleeping,
  clock: { ms: number },
  patience = 0,
): LockSystem {
  return {
    isAlive: (number) => turn.isLocked(number),
    isOwn: (number) => number === self,
    sleep(index, expected) {
      clock.ms++;
      if (sleeping === "until woken") {
        turn.futexWait(index, expected);
      } else {
        turn.rest();
      }
      turn.forget(clock.ms <= patience ? clock.ms : null);
      // Where nobody dies nothing may depend on a slice's end.
      return sleeping === "in slices";
    },
    wake: (index, count) => turn.futexWake(index, count),
    ring() {
      add(words, BELL, 1);
      turn.futexWake(BELL);
    },
    nowMs: () => clock.ms,
  };
}

/** The work under the lock: whoever was not told of a dead holder finds its data whole. */
function work(turn: Turn, lock: LockCore, self: number, outcome: number): void {
  turn.forget(outcome);
  const inside = exchange(words, INSIDE, self);
  if (outcome === TAKEN && inside !== 0) throw new Error(`${inside} is inside, and was not named`);
  if (exchange(words, INSIDE, 0) !== self) throw new Error("Somebody else came in");
  turn.note(outcome === INHERITED ? "inherited" : "taken");
  if (!lock.release()) throw new Error("It was taken away");
  turn.forget();
}

interface How {
  readonly rounds?: number;
  readonly sleeping?: Sleeping;
  readonly timeoutMs?: number;
}

/** Blocks for the lock, again and again. */
function blocking(number: number, how: How = {}): Participant {
  const { rounds = 1, sleeping = "until woken", timeoutMs = Number.POSITIVE_INFINITY } = how;
  return {
    locks: [number],
    run(turn) {
      const patience = timeoutMs < Number.POSITIVE_INFINITY ? timeoutMs : 0;
      const system = systemOf(turn, number, sleeping, { ms: 0 }, patience);
      const lock = new LockCore(words, LOCK_WORD, number, system);
      for (let round = 0; round < rounds; round++) {
        const first = lock.tryTake();
        const outcome = isMine(first) ? first : lock.take(timeoutMs);
        if (isMine(outcome)) work(turn, lock, number, outcome);
        else turn.note("gave up");
      }
    },
  };
}

/** Waits in an event loop: a bell wakes it, and nothing else where nobody dies. */
function waiting(number: number, sleeping: Sleeping = "until woken"): Participant {
  return {
    locks: [number],
    run(turn) {
      const clock = { ms: 0 };
      const lock = new LockCore(words, LOCK_WORD, number, systemOf(turn, number, sleeping, clock));
      for (let again = false; ; again = true) {
        const key = load(words, BELL);
        const outcome = lock.look(again);
        if (isMine(outcome)) return work(turn, lock, number, outcome);
        clock.ms += 100;
        if (sleeping === "until woken") {
          turn.futexWait(BELL, key);
          turn.forget();
        } else {
          turn.rest();
        }
      }
    },
  };
}

function checkAll({ notes, killed }: Outcome): void {
  const inherited = Object.values(notes)
    .flat()
    .filter((note) => note === "inherited").length;
  expect(inherited).toBeLessThanOrEqual(killed.length);
  if (killed.length > 0) return;
  expect([words[LOCK_WORD], words[NEXT_WORD], words[INSIDE]]).toEqual([0, 0, 0]);
}

function walk(title: string, model: Pick<Model, "participants" | "kill" | "kills">): void {
  test(title, () => {
    words.fill(0);
    console.log(
      describeReport(
        `lock, ${title}`,
        explore({ buffer, allAtomic: true, check: checkAll, ...model }),
      ),
    );
  });
}

describe("the lock, all interleavings", () => {
  walk("two that block, twice each", {
    participants: { a: blocking(1, { rounds: 2 }), b: blocking(2, { rounds: 2 }) },
  });
  walk("three that block", {
    participants: { a: blocking(1), b: blocking(2), c: blocking(3) },
  });
  walk("two that block, and one in an event loop", {
    participants: { a: blocking(1), b: blocking(2), c: waiting(3) },
  });
  walk("one that blocks, one in an event loop, one that gives up", {
    participants: {
      a: blocking(1),
      b: waiting(2),
      c: blocking(3, { sleeping: "in slices", timeoutMs: 2 }),
    },
  });
  const sliced: How = { sleeping: "in slices" };
  walk("two that block twice, each killed at each step", {
    participants: {
      a: blocking(1, { ...sliced, rounds: 2 }),
      b: blocking(2, { ...sliced, rounds: 2 }),
    },
    kill: ["a", "b"],
  });
  if (LONG) {
    walk("three that block, each killed at each step", {
      participants: { a: blocking(1, sliced), b: blocking(2, sliced), c: blocking(3, sliced) },
      kill: ["a", "b", "c"],
    });
  }
  walk("one in an event loop inherits", {
    participants: { a: blocking(1, sliced), b: waiting(2, "in slices") },
    kill: ["a", "b"],
  });
});
