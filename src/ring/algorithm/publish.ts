/**
 * How the sides of a ring publish to each other, as light wakers (waiting/event-count.ts) or not.
 */
import { CALLS } from "../../layout/wait-point-layout.ts";
import { fence, load, store } from "../../memory/atomics.ts";
import type { Wakeable } from "./core.ts";

/** W1: writes a word that releases what was written before it. */
export function publish(words: Int32Array, index: number, value: number, isLight: boolean): void {
  if (isLight) words[index] = value;
  else store(words, index, value);
}

/**
 * W2 and on: wakes the other side, if it called for that.
 * @param state The index of its wait point's state.
 */
export function wakeCalling(
  words: Int32Array,
  state: number,
  isLight: boolean,
  other: Wakeable,
): void {
  const calls = (isLight ? words[state]! : load(words, state)) & CALLS;
  if (calls !== 0) wakeNow(isLight, other);
}

function wakeNow(isLight: boolean, other: Wakeable): void {
  if (isLight) fence();
  other.wake();
}
