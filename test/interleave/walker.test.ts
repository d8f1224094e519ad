/** The scheduler itself: that it walks everything, and sees what is wrong. */
import { describe, expect, test } from "bun:test";
import { add, compareExchange, load, store } from "../../src/memory/atomics.ts";
import { type Model, type Participant, explore } from "./walker.ts";

const buffer = new ArrayBuffer(64);
const words = new Int32Array(buffer);

function model(participants: Record<string, Participant>, more: Partial<Model> = {}): Model {
  return { buffer, participants, check: () => {}, ...more };
}

const twoStores: Participant = {
  run: () => {
    store(words, 0, 1);
    store(words, 1, 1);
  },
};

const adder = (own: number): Participant => ({
  run: (turn) => {
    turn.note(add(words, 0, own));
    words[own] = load(words, 0);
    store(words, 3, own);
  },
});

describe("explore", () => {
  test("walks each interleaving once", () => {
    // Three moves each: the code before the first access, and two accesses with what follows.
    const joined = model({ a: twoStores, b: twoStores }, { blocks: "joined", prune: false });
    expect(explore(joined).schedules).toBe(20);
    // Five moves each: blocks are moves of their own.
    expect(
      explore(model({ a: twoStores, b: twoStores }, { prune: false, blocks: "apart" })).schedules,
    ).toBe(252);
    expect(words).toEqual(new Int32Array(16));
  });

  test("counts the same with and without pruning", () => {
    const participants = { a: adder(1), b: adder(2) };
    for (const blocks of ["apart", "joined"] as const) {
      const all = explore(model(participants, { prune: false, blocks, kill: ["a"] }));
      const some = explore(model(participants, { blocks, kill: ["a"] }));
      expect(some.schedules).toBe(all.schedules);
      expect(some.states).toBeLessThan(all.states);
    }
  });

  test("finds a lost update", () => {
    const increment: Participant = { run: () => store(words, 0, load(words, 0) + 1) };
    const sums = new Set<number>();
    const check: Model["check"] = (outcome) => sums.add(outcome.words[0]!);
    explore(model({ a: increment, b: increment }, { check }));
    expect([...sums].sort()).toEqual([1, 2]);
    const atomic: Participant = { run: () => void add(words, 0, 1) };
    sums.clear();
    explore(model({ a: atomic, b: atomic }, { check }));
    expect([...sums]).toEqual([2]);
  });

  test("plain code sees the memory of its moment, early or late", () => {
    const seen = new Set<string>();
    const writer: Participant = {
      run: () => {
        words[4] = 7;
        store(words, 0, 1);
        words[4] = 8;
      },
    };
    const reader: Participant = {
      run: (turn) => {
        const flag = load(words, 0);
        turn.note(`${flag} ${words[4]}`);
        load(words, 1);
      },
    };
    explore(
      model(
        { writer, reader },
        { racyAfter: [0], check: ({ notes }) => seen.add(`${notes["reader"]}`) },
      ),
    );
    expect([...seen].sort()).toEqual(["0 0", "0 7", "0 8", "1 7", "1 8"]);
  });

  test("a poll loop is finite, and a wait that nobody ends is found", () => {
    const waiter: Participant = {
      run: (turn) => {
        while (load(words, 0) === 0) turn.pause();
      },
    };
    explore(model({ waiter, writer: twoStores }));
    expect(() => explore(model({ waiter }))).toThrow("waiter wait for ever");
    expect(() => explore(model({ waiter, writer: twoStores }, { kill: ["writer"] }))).toThrow(
      "writer is killed",
    );
  });

  test("kills at every point, tears plain writes, and starts a successor", () => {
    const writer: Participant = {
      run: (turn) => {
        turn.tryLock(0);
        words[1] = 5;
        words[2] = 5;
        store(words, 0, 1);
      },
    };
    const successor: Participant = {
      after: "writer",
      run: (turn) => turn.note([turn.tryLock(0), words[1], words[2], load(words, 0)]),
    };
    const seen = new Set<string>();
    const participants = { writer, successor };
    const check: Model["check"] = ({ notes }) => seen.add(JSON.stringify(notes["successor"]));
    explore(model(participants, { check, kill: ["writer"] }));
    expect([...seen].sort()).toEqual([
      "[[true,0,0,0]]",
      "[[true,0,5,0]]",
      "[[true,5,0,0]]",
      "[[true,5,5,0]]",
      "[[true,5,5,1]]",
      "[]",
    ]);
  });

  test("models the futex: a wait on another value returns, a wake takes each choice", () => {
    const sleeper: Participant = {
      run: (turn) => {
        turn.futexWait(0, 0);
        turn.note("awake");
        store(words, 2, 1);
      },
    };
    const firsts = new Set<string>();
    const waker: Participant = {
      run: (turn) => {
        store(words, 0, 1);
        turn.futexWake(0, 1);
        turn.futexWake(0, 1);
      },
    };
    const check: Model["check"] = ({ notes }) => firsts.add(`${notes["a"]} ${notes["b"]}`);
    explore(model({ a: sleeper, b: sleeper, waker }, { check }));
    expect([...firsts]).toEqual(["awake awake"]);
    const forgetful: Participant = { run: () => store(words, 0, 1) };
    expect(() => explore(model({ a: sleeper, waker: forgetful }))).toThrow("a wait for ever");
  });

  test("leaves `finally` blocks without effect, and ends endless loops", () => {
    const stubborn: Participant = {
      run: () => {
        try {
          store(words, 0, 1);
        } finally {
          words[5] = 9;
          store(words, 1, 1);
        }
      },
    };
    explore(
      model(
        { a: stubborn },
        {
          kill: ["a"],
          always: (now) => expect(now[5] === 9 && now[0] === 0).toBe(false),
        },
      ),
    );
    const endless: Participant = {
      run: () => {
        for (;;) compareExchange(words, 0, 0, 0);
      },
    };
    expect(() => explore(model({ endless }))).toThrow("goes on for ever");
  });
});
