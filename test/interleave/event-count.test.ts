/** All interleavings of sleeping and waking: no wake-up is lost. There are no time-outs here. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { BLOCKED, CALLS, FENCE } from "../../src/layout/wait-point-layout.ts";
import { add, compareExchange, load } from "../../src/memory/atomics.ts";
import { announce, hasWaiters, takeWaiters } from "../../src/waiting/event-count.ts";
import { type Model, type Participant, type Turn, describeReport, explore } from "./walker.ts";

setDefaultTimeout(600_000);
/** The long form walks more states. */
const LONG = process.env["BUN_SHM_SOAK"] !== undefined;
const STATE = 0;
const DATA = 1;
const buffer = new ArrayBuffer(64);
const words = new Int32Array(buffer);

/** WaitPoint.wait without spinning and without slices. */
function wait(turn: Turn, ready: () => boolean): void {
  for (;;) {
    turn.forget();
    if (ready()) return;
    const key = announce(words, STATE, BLOCKED);
    if (ready()) return;
    turn.futexWait(STATE, key);
  }
}

/** WaitPoint.wake. */
function wake(turn: Turn): void {
  if (!hasWaiters(words, STATE)) return;
  if ((takeWaiters(words, STATE) & BLOCKED) !== 0) turn.futexWake(STATE);
}

const waiter = (enough: number): Participant => ({
  run: (turn) => {
    wait(turn, () => load(words, DATA) >= enough);
    turn.note("awake");
  },
});

const publisher = (times: number): Participant => ({
  run: (turn) => {
    for (let count = 0; count < times; count++) {
      add(words, DATA, 1);
      wake(turn);
    }
  },
});

/**
 * Takes one item at a time, as consumers of a queue do. It says no only when there is none: a `ready`
 * that also says no when it lost a race would sleep beside an item.
 */
function takeItem(): boolean {
  for (;;) {
    const items = load(words, DATA);
    if (items === 0) return false;
    if (compareExchange(words, DATA, items, items - 1) === items) return true;
  }
}

const taker: Participant = {
  run: (turn) => {
    wait(turn, takeItem);
    turn.note("awake");
  },
};

function run(what: string, participants: Model["participants"], more: Partial<Model> = {}): void {
  const check: Model["check"] = ({ notes, killed }) => {
    for (const name of Object.keys(participants)) {
      if (!name.startsWith("waiter") || killed.includes(name)) continue;
      expect(notes[name]).toEqual(["awake"]);
    }
  };
  console.log(describeReport(what, explore({ buffer, participants, check, ...more })));
}

describe("event count, all interleavings", () => {
  test("one waiter, one waker, several wakes", () => {
    for (const enough of [1, 2, 3]) {
      const participants = { waiter: waiter(enough), waker: publisher(3) };
      run(`event count, 1 waiter for ${enough} of 3`, participants);
    }
  });

  test("two waiters, two wakers", () => {
    run("event count, 2 waiters, 2 wakers", {
      waiter1: waiter(1),
      waiter2: waiter(2),
      waker1: publisher(1),
      waker2: publisher(1),
    });
  });

  test("two takers share what two wakers publish", () => {
    run("event count, 2 takers, 2 wakers", {
      waiter1: taker,
      waiter2: taker,
      waker1: publisher(1),
      waker2: publisher(1),
    });
  });

  test("a waiter that is killed at any step costs the others nothing", () => {
    const participants = { waiter1: waiter(1), waiter2: waiter(2), waker: publisher(2) };
    run("event count, waiter killed", participants, { kill: ["waiter1"] });
  });

  test("the walk finds the one thing that slices are for: a waker killed before it wakes", () => {
    const participants = { waiter: waiter(1), waker: publisher(1) };
    expect(() => run("", participants, { kill: ["waker"] })).toThrow("waiter wait for ever");
  });

  test("the walk finds a protocol that loses wake-ups", () => {
    const careless: Participant = {
      run: (turn) => {
        // Looks first and announces then.
        while (load(words, DATA) < 1) turn.futexWait(STATE, announce(words, STATE, BLOCKED));
        turn.note("awake");
      },
    };
    const participants = { waiter: careless, waker: publisher(1) };
    expect(() => run("", participants)).toThrow("waiter wait for ever");
  });
});

/*
 * A light waker's store may become visible only after its look at STATE: it is in the waker's store
 * buffer until then, which is the upper half of DATA here. It leaves the buffer by itself at any
 * time (`drain` at the end), and at once by a fence, whoever makes the waker take it.
 */
const BUFFERED = 1 << 16;
const visible = (): number => load(words, DATA) & (BUFFERED - 1);

function drain(): void {
  for (;;) {
    const data = load(words, DATA);
    const buffered = data >>> 16;
    if (buffered === 0) return;
    const drained = (data & (BUFFERED - 1)) + buffered;
    if (compareExchange(words, DATA, data, drained) === data) return;
  }
}

const lightPublisher = (times: number): Participant => ({
  run: (turn) => {
    for (let count = 0; count < times; count++) {
      add(words, DATA, BUFFERED);
      if ((load(words, STATE) & CALLS) === 0) continue;
      drain();
      wake(turn);
    }
    drain();
  },
});

/** @param fence What it does between its announcement and its look. */
const waiterForLight = (enough: number, fence: () => void): Participant => ({
  run: (turn) => {
    for (;;) {
      turn.forget();
      if (visible() >= enough) break;
      const key = announce(words, STATE, BLOCKED);
      fence();
      if (visible() >= enough) break;
      turn.futexWait(STATE, key);
    }
    turn.note("awake");
  },
});

describe("light wakers, all interleavings", () => {
  test("one waiter that makes the waker take a fence", () => {
    for (const enough of [1, 2, 3]) {
      run(`light waker, 1 waiter for ${enough} of 3`, {
        waiter: waiterForLight(enough, drain),
        waker: lightPublisher(3),
      });
    }
  });

  // With more to wait for, there are more states than can be walked.
  test("two such waiters, one of whom may be killed", () => {
    const participants = {
      waiter1: waiterForLight(1, drain),
      waiter2: waiterForLight(1, drain),
      waker: lightPublisher(1),
    };
    run("light waker, 2 waiters", participants, { kill: ["waiter1"] });
  });

  test("waiters that cannot, once FENCE is set", () => {
    words[STATE] = FENCE;
    const participants = {
      waiter1: waiterForLight(1, () => {}),
      waiter2: waiterForLight(LONG ? 2 : 1, () => {}),
      waker: lightPublisher(LONG ? 2 : 1),
    };
    run("light waker that is told to fence, 2 waiters", participants);
    words[STATE] = 0;
  });

  test("the walk finds that without a fence wake-ups are lost", () => {
    const participants = { waiter: waiterForLight(1, () => {}), waker: lightPublisher(1) };
    expect(() => run("", participants)).toThrow("waiter wait for ever");
  });
});
