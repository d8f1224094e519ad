/** What those do who compete for named locks until they are killed, and what they leave to judge. */
import type { NamedLocks } from "../../src/index.ts";

export const LOCK_NAMES = 3;
const STRIDE = 32;
/** Words of a name: who is inside, changes, and completed changes. */
const OWNER = 0;
const COUNT = 1;
const DONE = 2;
export const GUARDED_LENGTH: number = LOCK_NAMES * STRIDE * 4;

let owners = 0;

/** Takes names for ever. @param process Tells this thread from the others. */
export async function takeTurns(
  locks: NamedLocks,
  words: Int32Array,
  random: () => number,
  process: number,
  told: () => void,
): Promise<never> {
  const me = process * 8 + (++owners % 8);
  for (let turn = 0; ; turn++) {
    const name = Math.floor(random() * LOCK_NAMES);
    const at = name * STRIDE;
    const choice = random();
    const change = async (): Promise<void> => {
      Atomics.store(words, at + OWNER, me);
      const count = Atomics.load(words, at + COUNT);
      await Bun.sleep(0);
      if (Atomics.load(words, at + OWNER) !== me) throw new Error("Two hold a name alone");
      Atomics.store(words, at + COUNT, count + 1);
      Atomics.add(words, at + DONE, 1);
    };
    const look = async (): Promise<void> => {
      const count = Atomics.load(words, at + COUNT);
      await Bun.sleep(0);
      if (Atomics.load(words, at + COUNT) !== count) throw new Error("A shared name changed");
    };
    if (choice < 0.5) await locks.request(`n${name}`, change);
    else if (choice < 0.8) await locks.request(`n${name}`, { mode: "shared" }, look);
    else {
      await locks.request(`n${name}`, { timeoutMs: random() * 3 }, (lock) => lock && change());
    }
    if (turn === 3) told();
  }
}

/** @returns For each name, how many changes there were, and how many were completed for certain. */
export function changesIn(words: Int32Array): { readonly count: number; readonly done: number }[] {
  return Array.from({ length: LOCK_NAMES }, (_, name) => ({
    count: Atomics.load(words, name * STRIDE + COUNT),
    done: Atomics.load(words, name * STRIDE + DONE),
  }));
}
