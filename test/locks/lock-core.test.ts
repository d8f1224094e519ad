/** The lock's steps against words that somebody else scribbles over meanwhile. */
import { describe, expect, test } from "bun:test";
import { GRANTED, LOCK_WORD, NUMBER_SHIFT } from "../../src/layout/lock-layout.ts";
import { BUSY, LockCore, type LockSystem } from "../../src/locks/algorithm/lock-core.ts";

const NUMBER = 7;

/** A lock whose word changes whenever its participant asks or sleeps, to another dead holder. */
function scribbled(): { lock: LockCore; words: Int32Array; asked: () => number } {
  const words = new Int32Array(2);
  let asked = 0;
  let nowMs = 0;
  const scribble = (): false => {
    words[LOCK_WORD] = (1000 + ++asked) << NUMBER_SHIFT;
    return false;
  };
  scribble();
  const system: LockSystem = {
    isAlive: scribble,
    isOwn: (number) => number === NUMBER,
    sleep(_index, _expected, timeMs) {
      nowMs += timeMs;
      scribble();
      return true;
    },
    wake() {},
    ring() {},
    nowMs: () => nowMs,
  };
  return { lock: new LockCore(words, 0, NUMBER, system), words, asked: () => asked };
}

describe("a word that changes all the time", () => {
  test("a try ends, and counts it as busy", () => {
    const { lock, asked } = scribbled();
    expect(lock.tryInherit()).toBe(BUSY);
    expect(asked()).toBeLessThan(100);
  });

  test("a look ends, and so does a wait with a timeout", () => {
    const { lock, words } = scribbled();
    expect(lock.look(false)).toBe(BUSY);
    expect(lock.poll()).toBe(BUSY);
    expect(lock.take(100)).toBe(BUSY);
    words[LOCK_WORD] = (5000 << NUMBER_SHIFT) | GRANTED;
    expect(lock.tryInherit()).toBe(0);
  });
});
