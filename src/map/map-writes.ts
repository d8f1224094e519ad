/** What a handle of a map writes. */
import { checkInteger, checkIterable, checkSyncFunction, shown } from "../arguments.ts";
import { IS_VALUE, MapLists } from "./algorithm/map-lists.ts";
import { ABSENT } from "./algorithm/map-reader.ts";
import { ANYTHING, NOTHING, PRESENT, REFUSED, STORED } from "./algorithm/map-writer.ts";
import type { MapLocal } from "./map-local.ts";
import type { SharedMapKey } from "./map-options.ts";
import { type MapParts, type SharedMapOutcome, heldError, outcomeOf } from "./map-parts.ts";
import { MapReads } from "./map-reads.ts";
import {
  KEPT,
  type SharedMapIncrementOptions,
  type SharedMapSetOptions,
  checkIncrement,
  checkMs,
  expiryIn,
  expiryOf,
} from "./map-times.ts";
import { incrementEntry, updateEntry } from "./map-updates.ts";

/** The part of `SharedMap` that writes. */
export abstract class MapWrites<V, K extends SharedMapKey> extends MapReads<V, K> {
  readonly #parts: MapParts<V>;
  readonly #lists: MapLists;
  #outcome: number = STORED;

  /** @internal */
  constructor(parts: MapParts<V>, local: MapLocal<V> | undefined) {
    super(parts, local);
    this.#parts = parts;
    this.#lists = new MapLists(parts.memory, parts.writer);
  }

  /**
   * Stores a value in one step: readers see the old one or the new one. Blocks this thread while
   * another writer has the stripe.
   *
   * @param key Text, which stands for its UTF-8, or bytes: at most 1024 of them. A map whose keys
   *   are text takes only bytes that are UTF-8.
   * @returns true when it is stored, `lastEvicted` says for how many others; false when the map is
   *   full and refuses: nothing changed then.
   * @throws RangeError for a bad key (text with a lone surrogate is one), or an entry longer than a
   *   map of this size can hold; TypeError for a bad key or option, or a value that is not the
   *   codec's; the codec's error; StateError EDEADLK in a callback of `update`; LayoutError when
   *   the bytes are no map; ClosedError.
   */
  set(key: K | string, value: V, options?: SharedMapSetOptions): boolean {
    return this.#set(ANYTHING, key, value, options);
  }

  /**
   * Stores a value in one step, if the key is absent. Blocks like `set`.
   *
   * @returns true when it is stored; false when the key is there, or the map is full and refuses:
   *   `lastOutcome` tells them apart.
   * @throws The errors of `set`.
   */
  setIfAbsent(key: K | string, value: V, options?: SharedMapSetOptions): boolean {
    return this.#set(NOTHING, key, value, options);
  }

  /**
   * Stores a value in one step, if the key is there. Blocks like `set`.
   *
   * @returns true when it is stored; false when the key is absent, or the map is full and refuses.
   * @throws The errors of `set`.
   */
  replace(key: K | string, value: V, options?: SharedMapSetOptions): boolean {
    return this.#set(PRESENT, key, value, options);
  }

  /**
   * Stores a value in one step, if nobody wrote to the key since its version was read. Blocks like
   * `set`.
   *
   * @param expected What `getWithVersion` returned; 0 if the key must be absent.
   * @returns true when it is stored; false when the version is another one, or the map is full and
   *   refuses.
   * @throws The errors of `set`; RangeError, TypeError also for a bad version.
   */
  compareAndSet(
    key: K | string,
    expected: number,
    value: V,
    options?: SharedMapSetOptions,
  ): boolean {
    this.#parts.guard.check("write to");
    checkInteger("Cannot compare versions", "the expected one", expected, 0);
    return this.#set(expected, key, value, options);
  }

  #set(expected: number, key: SharedMapKey, value: V, options?: SharedMapSetOptions): boolean {
    const { placed, guard, codec, key: hashed, draft, writer } = this.#parts;
    guard.check("write to");
    // The user's code comes first, outside the lock: options, and values that encode themselves. It
    // may use this handle, and close it; what throws here has touched nothing.
    const expiry = expiryOf(options, 0);
    const staleMs = options?.staleMs ?? 0;
    draft.length = codec.encode(value, draft.value);
    draft.expiry = expiry;
    draft.staleMs = staleMs;
    placed.checkOpen();
    hashed.setNew(key);
    return this.#ended(writer.set(hashed, draft, expected));
  }

  /** Notes how a write ended. @returns Whether it stored its value. */
  #ended(outcome: number): boolean {
    this.#outcome = outcome;
    return outcome === STORED;
  }

  /**
   * Stores values like `set`, one after the other.
   *
   * @param options They hold for all.
   * @returns How many were stored; the others found the map full.
   * @throws The errors of `set`, with the values before stored.
   */
  setMany(entries: Iterable<readonly [K | string, V]>, options?: SharedMapSetOptions): number {
    const { placed, guard } = this.#parts;
    guard.check("write to");
    const action = `Cannot write to ${placed.what}`;
    checkIterable(action, "its entries", entries);
    let stored = 0;
    for (const entry of entries) {
      if (!Array.isArray(entry)) refuseEntry(action, entry);
      if (this.set(entry[0], entry[1], options)) stored++;
    }
    return stored;
  }

  /** How the last write of this handle ended that stores a value: also why it did not store it. */
  get lastOutcome(): SharedMapOutcome {
    return outcomeOf(this.#outcome);
  }

  /** How many entries the last write of this handle evicted that stores a value. */
  get lastEvicted(): number {
    return this.#parts.writer.evictor.evicted;
  }

  /**
   * Removes a key. Blocks like `set`.
   * @returns Whether it was there.
   * @throws The errors of `set`.
   */
  delete(key: K | string): boolean {
    const { guard, key: hashed, writer } = this.#parts;
    guard.check("write to");
    hashed.set(key);
    return writer.delete(hashed);
  }

  /**
   * Removes keys like `delete`, one after the other. @returns How many were there.
   * @throws The errors of `set`, with the keys before removed.
   */
  deleteMany(keys: Iterable<K | string>): number {
    this.#parts.guard.check("write to");
    checkIterable(`Cannot write to ${this.#parts.placed.what}`, "its keys", keys);
    let removed = 0;
    for (const key of keys) if (this.delete(key)) removed++;
    return removed;
  }

  /**
   * Removes a key, so that exactly one of several callers gets its value. Blocks like `set`.
   * @returns The value; undefined when it was not there.
   * @throws The errors of `set`; the codec's error, with the key left as it was.
   */
  getAndDelete(key: K | string): V | undefined {
    const { guard } = this.#parts;
    guard.check("write to");
    let taken: V | undefined;
    const take = (value: V | undefined): undefined => void (taken = value);
    updateEntry(this.#parts, key, take, { expiry: KEPT, staleMs: KEPT }, 0);
    return taken;
  }

  /**
   * Gives a key another time to live, and leaves its value and version. Blocks like `set`.
   *
   * @param ttlMs Milliseconds from now; above 0. Infinity: it does not expire.
   * @returns Whether the key was there.
   * @throws The errors of `set`; RangeError, TypeError also for a bad time.
   */
  touch(key: K | string, ttlMs: number): boolean {
    const { guard, key: hashed, writer } = this.#parts;
    guard.check("write to");
    const expiry = expiryIn(checkMs("Cannot touch an entry", "ttlMs", ttlMs));
    hashed.set(key);
    return writer.touch(hashed, expiry);
  }

  /**
   * Replaces a key's value by what `fn` makes of it, with no other write to the key in between. The
   * entry keeps its expiry unless `ttlMs` is given. Blocks like `set`.
   *
   * @param fn A synchronous function. It gets undefined when the key is absent; the entry is
   *   removed when it returns undefined. It holds up the writers of the stripe. It may read this
   *   map, and so may the codec; writes and `close` are refused meanwhile. If it throws, nothing
   *   changes.
   * @returns true when the value is stored or removed; false when the map is full and refuses.
   * @throws The errors of `set`; what `fn` throws; TypeError when `fn` returns a promise.
   */
  update(
    key: K | string,
    fn: (value: V | undefined) => V | undefined,
    options?: SharedMapSetOptions,
  ): boolean {
    const { placed, guard } = this.#parts;
    checkSyncFunction(`Cannot update ${placed.what}`, "its callback", fn);
    guard.check("update");
    // Checked outside the lock: what throws here has touched nothing.
    const expiry = expiryOf(options, KEPT);
    const times = { expiry, staleMs: options?.staleMs ?? KEPT };
    return this.#ended(updateEntry(this.#parts, key, fn, times, expiry === KEPT ? 0 : expiry));
  }

  /**
   * Adds to a number. Readers see the old or the new number. Blocks like `set`.
   *
   * @param by A finite number. Default 1.
   * @param options What an absent key counts from, and how long it is valid: `initialTtlMs` counts
   *   from the call that makes the entry, `ttlMs` from each call.
   * @returns The new number; undefined when the map is full and refuses.
   * @throws The errors of `set`; TypeError when the value is not a number.
   */
  increment(
    this: MapWrites<number, K>,
    key: K | string,
    by = 1,
    options?: SharedMapIncrementOptions,
  ): number | undefined {
    const checked = checkIncrement(by, options);
    this.#parts.guard.check("update");
    const sum = incrementEntry(this.#parts, key, by, checked);
    this.#ended(sum === undefined ? REFUSED : STORED);
    return sum;
  }

  /**
   * Removes entries that have expired and are not kept any longer. Writes do so too, now and then,
   * so this is for a map that is hardly written to. Blocks like `set`.
   *
   * @param limit The most that are removed. Default: all.
   * @returns How many were removed.
   * @throws The errors of `set`; RangeError, TypeError for a bad limit.
   */
  flushExpired(limit: number = Number.MAX_SAFE_INTEGER): number {
    this.#parts.guard.check("write to");
    checkInteger("Cannot flush expired entries", "the limit", limit, 1);
    return this.#parts.writer.flushExpired(limit);
  }

  /**
   * Adds a value to the left end of the list under a key, which is made if there is none. Lists are
   * apart from values: `get`, `keys` and snapshots do not see them; `set` replaces a list, `delete`
   * removes it, `touch` gives it a time to live, and what needs an absent key does not find one. A
   * list lies in one stripe of the map (`stats()` says how many there are), and a full map that
   * evicts evicts a list whole. Blocks like `set`. A process that is killed meanwhile has added the
   * value, or has not.
   *
   * @returns The new length; undefined when the map is full and refuses.
   * @throws The errors of `set`; StateError EEXIST when the key has a value.
   */
  pushLeft(key: K | string, value: V): number | undefined {
    return this.#push(key, value, true);
  }

  /** Adds a value to the right end of a list, like `pushLeft`. */
  pushRight(key: K | string, value: V): number | undefined {
    return this.#push(key, value, false);
  }

  #push(key: SharedMapKey, value: V, atLeft: boolean): number | undefined {
    const { placed, guard, codec, key: hashed, draft } = this.#parts;
    guard.check("write to");
    draft.length = codec.encode(value, draft.value);
    placed.checkOpen();
    hashed.setNew(key);
    const length = this.#lists.push(hashed, draft, atLeft);
    if (length === IS_VALUE) throw heldError(placed, "add to the list", key, "value");
    this.#ended(length === REFUSED ? REFUSED : STORED);
    return length === REFUSED ? undefined : length;
  }

  /**
   * Removes the value at the left end of a list, so that exactly one of several callers gets it. An
   * empty list is removed. Blocks like `set`. A process that is killed meanwhile has removed the
   * value, and so lost it, or has not.
   *
   * @returns The value; undefined when there is no list.
   * @throws The errors of `set`; the codec's error, with the value removed.
   */
  popLeft(key: K | string): V | undefined {
    return this.#pop(key, true);
  }

  /** Removes the value at the right end of a list, like `popLeft`. */
  popRight(key: K | string): V | undefined {
    return this.#pop(key, false);
  }

  #pop(key: SharedMapKey, atLeft: boolean): V | undefined {
    const { guard, key: hashed, found, codec } = this.#parts;
    guard.check("write to");
    hashed.set(key);
    const length = this.#lists.pop(hashed, found, atLeft);
    return length === ABSENT ? undefined : codec.decode(found, 0, length);
  }

  /**
   * Removes every entry, one stripe after the other. Blocks like `set`.
   * @throws The errors of `set`.
   */
  clear(): void {
    this.#parts.guard.check("clear");
    this.#parts.writer.clear();
  }
}

function refuseEntry(action: string, entry: unknown): never {
  throw new TypeError(`${action}: each entry must be [key, value], not ${shown(entry)}`);
}
