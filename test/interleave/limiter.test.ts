/**
 * Every interleaving, and every instant of death, of consumers at a limit: never more is allowed,
 * at most what a killed one had in hand is lost, and the stripe works on.
 */
import { describe, expect, test } from "bun:test";
import type { LimiterCore } from "../../src/limiter/algorithm/limiter-core.ts";
import type { LimiterMemory } from "../../src/limiter/algorithm/limiter-memory.ts";
import { STRIPE_BOOT_WORD } from "../../src/layout/limiter-layout.ts";
import { add, store } from "../../src/memory/atomics.ts";
import {
  ALGORITHMS,
  type LocalOptions,
  expectSound,
  keyOf,
  lengthOf,
  localLimiter,
} from "../limiter/local-limiter.ts";
import { type Turn, describeReport, explore } from "./walker.ts";

/** A small limiter for walks, whose clock goes on by `stepMs` at each look. */
class Walked {
  readonly buffer: ArrayBuffer;
  readonly words: Int32Array;
  readonly #options: LocalOptions;
  readonly #stepMs: number;
  /** Whether the lock's owner is at work, as the lock knows by itself; and the clock. */
  readonly #busy: number;
  readonly #clock: number;

  constructor(options: LocalOptions, stepMs = 0) {
    this.#options = options;
    this.#stepMs = stepMs;
    const length = lengthOf(options);
    this.buffer = new ArrayBuffer(length + 128);
    this.words = new Int32Array(this.buffer);
    this.#busy = length >> 2;
    this.#clock = this.#busy + 1;
    this.handle().core.create();
  }

  /** @returns A handle, as each process has its own; without a turn, for a look from outside. */
  handle(turn?: Turn, boot = 1): { core: LimiterCore; memory: LimiterMemory; time: () => number } {
    const { words } = this;
    let now = 0;
    let locked = 0;
    const nowMs = (): number => {
      now = turn === undefined ? words[this.#clock]! : add(words, this.#clock, this.#stepMs);
      return (now += 1000);
    };
    const locks = {
      lock: (): boolean => {
        if (turn === undefined) return false;
        while (!turn.tryLock(0)) {
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
        turn.unlock(0);
      },
    };
    const parts = localLimiter(this.#options, { boot, nowMs }, this.buffer, locks);
    return { ...parts, time: () => now };
  }

  /** @returns A program that asks `times` times, and notes when it was allowed. */
  consumer(times: number, key = "k") {
    return {
      run: (turn: Turn): void => {
        const { core, time } = this.handle(turn);
        for (let at = 0; at < times; at++) {
          if (core.tryConsume(keyOf(key), 1)) turn.note(time());
        }
      },
    };
  }
}

const options = { limit: 3, windowMs: 1000, keys: 2 };

describe.each(ALGORITHMS)("%s", (algorithm) => {
  test("two consumers get the limit, and not more", () => {
    const walked = new Walked({ ...options, algorithm });
    const report = explore({
      buffer: walked.buffer,
      participants: { a: walked.consumer(2), b: walked.consumer(2) },
      check({ notes }) {
        expect(notes["a"]!.length + notes["b"]!.length).toBe(3);
        expectSound(walked.handle().memory);
      },
    });
    console.log(describeReport(`${algorithm}, two consumers`, report));
  });

  test("killed at any instant, a consumer has taken its points or not", () => {
    const walked = new Walked({ ...options, algorithm });
    const lost = new Set<number>();
    const report = explore({
      buffer: walked.buffer,
      participants: {
        dying: walked.consumer(2),
        other: walked.consumer(2),
        next: { ...walked.consumer(3), after: "dying" },
      },
      kill: ["dying"],
      check({ notes, killed }) {
        const allowed = Object.values(notes).flat().length;
        expect(allowed).toBeLessThanOrEqual(3);
        if (killed.length === 0) expect(allowed).toBe(3);
        else lost.add(3 - allowed);
        const { core, memory } = walked.handle();
        expect(core.peek(keyOf("k"), 1)).toMatchObject({ allowed: false, remaining: 0 });
        expectSound(memory);
      },
    });
    console.log(describeReport(`${algorithm}, killed`, report));
    // What the killed one had taken, and did not live to say.
    expect([...lost].sort()).toEqual([0, 1]);
  });

  test("killed while a window passes, a consumer makes no room for more", () => {
    // Of the steps of the clock, two and a half make a window.
    const walked = new Walked({ ...options, limit: 1, algorithm }, 400);
    let most = 0;
    const report = explore({
      buffer: walked.buffer,
      participants: {
        dying: walked.consumer(3),
        next: { ...walked.consumer(6), after: "dying" },
      },
      kill: ["dying"],
      check({ notes }) {
        const times = (Object.values(notes).flat() as number[]).toSorted((a, b) => a - b);
        most = Math.max(most, times.length);
        for (let at = 1; at < times.length; at++) {
          expect(times[at]! - times[at - 1]!).toBeGreaterThanOrEqual(1000);
        }
        expectSound(walked.handle().memory);
      },
    });
    console.log(describeReport(`${algorithm}, killed as a window passes`, report));
    expect(most).toBe(3);
  });

  test("killed as time passes, it leaves the state before its call or the one after", () => {
    const costs = [10, 1, 1, 2, 1];
    const busy = { ...options, limit: 10, algorithm };
    const walked = new Walked(busy, 300);
    const call = ({ core }: { core: LimiterCore }, at: number): unknown =>
      core.tryConsume(keyOf("k"), costs[at]!);
    /** What is left at a time, after so many calls that nobody disturbed. */
    const remainingAfter = (calls: number, time: number): number => {
      let now = 1000;
      const { core } = localLimiter(busy, { boot: 1, nowMs: () => now });
      core.create();
      for (let at = 0; at < calls; at++, now += 300) call({ core }, at);
      now = time;
      return core.peek(keyOf("k"), 1).remaining;
    };
    const ends = new Set<number>();
    const report = explore({
      buffer: walked.buffer,
      participants: {
        dying: {
          run(turn) {
            const mine = walked.handle(turn);
            for (let at = 0; at < costs.length; at++) turn.note(call(mine, at));
          },
        },
        next: {
          run(turn) {
            const { core, time } = walked.handle(turn);
            turn.note([core.peek(keyOf("k"), 1).remaining, time()]);
          },
          after: "dying",
        },
      },
      kill: ["dying"],
      check({ notes, killed }) {
        if (killed.length === 0) return;
        const done = notes["dying"]!.length;
        const [remaining, time] = notes["next"]![0] as [number, number];
        const ways = [remainingAfter(done, time), remainingAfter(done + 1, time)];
        expect(ways).toContain(remaining);
        ends.add(ways.indexOf(remaining));
      },
    });
    console.log(describeReport(`${algorithm}, killed as time passes`, report));
    expect([...ends].sort()).toEqual([0, 1]);
  });

  test("killed while a key makes room for another, neither it nor a third gets more", () => {
    const walked = new Walked({ ...options, algorithm });
    const { core } = walked.handle();
    expect([core.tryConsume(keyOf("old"), 3), core.tryConsume(keyOf("k"), 3)]).toEqual([
      true,
      true,
    ]);
    const report = explore({
      buffer: walked.buffer,
      participants: {
        dying: walked.consumer(2, "new"),
        next: {
          run(turn) {
            const mine = walked.handle(turn).core;
            for (let at = 0; at < 3; at++) turn.note(mine.tryConsume(keyOf("new"), 1) ? 1 : 0);
            turn.note(mine.peek(keyOf("k"), 1).allowed ? "forgotten" : "known");
          },
          after: "dying",
        },
      },
      kill: ["dying"],
      check({ notes, killed }) {
        expectSound(walked.handle().memory);
        if (killed.length === 0) return;
        const all = Object.values(notes).flat();
        // The dead one leaves the new key there or not, and the old one; the next removes one more
        // only if it must.
        const allowed = all.filter((note) => typeof note === "number" && note > 0);
        expect([2, 3]).toContain(allowed.length);
        expect(all.at(-1)).toBe("known");
      },
    });
    console.log(describeReport(`${algorithm}, killed while it makes room`, report));
  });

  test("killed at any instant of a penalty, a reward or a reset, it was whole or was not", () => {
    for (const [call, before, after] of [
      ["penalize", 1, -1],
      ["reward", 1, 3],
      ["reset", 1, 3],
    ] as const) {
      const walked = new Walked({ ...options, algorithm });
      walked.handle().core.tryConsume(keyOf("k"), 2);
      const left = new Set<number>();
      const report = explore({
        buffer: walked.buffer,
        participants: {
          dying: {
            run(turn) {
              const { core } = walked.handle(turn);
              if (call === "reset") core.reset(keyOf("k"));
              else core[call](keyOf("k"), 2);
            },
          },
          next: {
            run: (turn) => turn.note(walked.handle(turn).core.peek(keyOf("k"), 1).remaining),
            after: "dying",
          },
        },
        kill: ["dying"],
        check({ notes, killed }) {
          expectSound(walked.handle().memory);
          if (killed.length === 0) {
            expect(walked.handle().core.peek(keyOf("k"), 1).remaining).toBe(after);
          } else left.add(notes["next"]![0] as number);
        },
      });
      console.log(describeReport(`${algorithm}, killed in ${call}`, report));
      expect([...left].toSorted((a, b) => a - b)).toEqual(
        [before, after].toSorted((a, b) => a - b),
      );
    }
  });

  test("killed after a restart of the machine, it leaves nothing of the old times", () => {
    const walked = new Walked({ ...options, algorithm });
    const { core } = walked.handle();
    for (const key of ["k", "j"]) core.tryConsume(keyOf(key), 3);
    const restarted = (turn: Turn): void => {
      const next = walked.handle(turn, 2).core;
      for (const key of ["k", "j"]) turn.note(next.tryConsume(keyOf(key), 3));
    };
    const report = explore({
      buffer: walked.buffer,
      participants: { dying: { run: restarted }, next: { run: restarted, after: "dying" } },
      kill: ["dying"],
      check({ notes, words, killed }) {
        const { dying, next } = notes as Record<string, boolean[]>;
        expect(words[STRIPE_BOOT_WORD]).toBe(2);
        expectSound(walked.handle(undefined, 2).memory);
        if (killed.length === 0) return void expect(dying).toEqual([true, true]);
        for (const at of [0, 1]) {
          const answers = [dying![at], next![at]].filter((answer) => answer !== undefined);
          expect(answers.filter(Boolean).length).toBeLessThanOrEqual(1);
        }
      },
    });
    console.log(describeReport(`${algorithm}, killed after a restart`, report));
  });
});
