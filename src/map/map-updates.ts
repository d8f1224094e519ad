/** Writes that depend on what is there: the stripe's lock is held from the read to the write. */
import { checkSyncAnswer } from "../arguments.ts";
import { LOG_DELETED, LOG_EXPIRED } from "../layout/map-layout.ts";
import { ABSENT } from "./algorithm/map-reader.ts";
import { LOAD_AND_ERROR, STORED } from "./algorithm/map-writer.ts";
import type { SharedMapKey } from "./map-options.ts";
import { type MapParts, heldError } from "./map-parts.ts";
import { type Increment, KEPT, type Times, numberOf } from "./map-times.ts";

/**
 * Replaces a value by what `fn` makes of it, which is undefined to remove it.
 *
 * @param old The times of an entry that is there; its own where they are KEPT.
 * @param fresh When a new entry expires.
 * @returns STORED or REFUSED.
 */
export function updateEntry<V>(
  parts: MapParts<V>,
  key: SharedMapKey,
  fn: (value: V | undefined) => V | undefined,
  old: Times,
  fresh: number,
): number {
  const { placed, guard, writer, reader, codec, found, draft, lockedKey: locked } = parts;
  placed.checkOpen();
  locked.setNew(key);
  const stripe = writer.lock(locked.hash);
  guard.begin();
  try {
    const slot = writer.find(stripe, locked);
    const length = slot === 0 ? ABSENT : reader.readAt(locked, stripe, slot);
    if (slot === 0 && writer.hasList(stripe, locked))
      throw heldError(placed, "update", key, "list");
    const keeps = old.expiry === KEPT;
    const expiry = keeps ? reader.expiry : old.expiry;
    const staleMs = old.staleMs === KEPT ? (keeps ? reader.staleMs : 0) : old.staleMs;
    const value = fn(length === ABSENT ? undefined : codec.decode(found, 0, length));
    checkSyncAnswer(`Cannot update ${placed.what}`, value);
    if (value === undefined) {
      const what = length === ABSENT ? LOG_EXPIRED : LOG_DELETED;
      writer.removeAt(stripe, slot, locked, what, LOAD_AND_ERROR);
      return STORED;
    }
    draft.length = codec.encode(value, draft.value);
    draft.expiry = length === ABSENT ? fresh : expiry;
    draft.staleMs = length === ABSENT ? Math.max(old.staleMs, 0) : staleMs;
    writer.measure(locked, draft);
    return writer.putValue(stripe, slot, locked, draft);
  } finally {
    guard.end();
    writer.unlock(locked.hash);
  }
}

/** Adds to a number. @returns The sum; undefined when the map is full and refuses. */
export function incrementEntry(
  parts: MapParts<number>,
  key: SharedMapKey,
  by: number,
  { initial, initialExpiry, expiry }: Increment,
): number | undefined {
  let sum = 0;
  const add = (old: number | undefined): number =>
    (sum = (old === undefined ? initial : numberOf(old)) + by);
  const times = { expiry, staleMs: KEPT };
  return updateEntry(parts, key, add, times, initialExpiry) === STORED ? sum : undefined;
}
