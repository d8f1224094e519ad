/** The words of a broadcast ring, for its producer and its consumers. */
import * as layout from "../../../layout/broadcast-layout.ts";
import { load } from "../../../memory/atomics.ts";

export const TAIL: number = layout.TAIL_OFFSET >> 2;
export const TAIL_INTENT: number = layout.TAIL_INTENT_OFFSET >> 2;
export const HALF_LAPS: number = layout.HALF_LAPS_OFFSET >> 2;
export const LIMIT: number = layout.LIMIT_OFFSET >> 2;
export const TAIL_NUMBERS: number = layout.TAIL_NUMBERS_OFFSET >> 2;
export const TAIL_NUMBER_WORDS: number = layout.TAIL_NUMBER_LENGTH >> 2;
export const QUARTER_MARKS: number = layout.QUARTER_MARKS_OFFSET >> 2;
export const JOINED: number = layout.JOINED_OFFSET >> 2;

const HALF = 2 ** 31;

/** @returns The index of the word that holds the position of a slot's consumer. */
export function slotIndex(slot: number): number {
  return (layout.CONSUMER_SLOTS_OFFSET + slot * layout.CONSUMER_SLOT_LENGTH) >> 2;
}

/**
 * Reads a position in full. It reads the word first: the producer writes `half_laps` before the
 * position whose top bit changes, so the count that is read here belongs to the position, or is
 * later.
 *
 * @returns The position at the read of its word, or a later one.
 */
export function readWide(control: Int32Array, index: number): number {
  const low = load(control, index);
  const halfLaps = load(control, HALF_LAPS) >>> 0;
  const isAhead = ((halfLaps ^ (low >>> 31)) & 1) === 1;
  return (isAhead ? halfLaps - 1 : halfLaps) * HALF + (low & 0x7fffffff);
}

/** @returns The position whose word is `low` and which lies less than 4 GiB before `wide`. */
export function widen(low: number, wide: number): number {
  return wide - (((wide | 0) - low) >>> 0);
}

/** @returns A tail and the number of the record that follows it; undefined if the tail moved. */
export function readTailNumber(control: Int32Array): { tail: number; number: number } | undefined {
  const tail = load(control, TAIL);
  for (let version = 0; version < 2; version++) {
    const at = TAIL_NUMBERS + version * TAIL_NUMBER_WORDS;
    if (load(control, at) !== tail) continue;
    const low = load(control, at + 1) >>> 0;
    const high = load(control, at + 2) >>> 0;
    // The producer overwrites a version only after the tail belongs to the other one.
    if (load(control, TAIL) === tail) return { tail, number: high * 2 ** 32 + low };
  }
  return undefined;
}
