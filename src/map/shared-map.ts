import { checkBytes, checkSyncAnswer, checkSyncFunction, shown } from "../arguments.ts";
import { WriteGuard } from "../locks/write-guard.ts";
import { bootClock } from "../memory/boot.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Placed } from "../segment/placed.ts";
import { Segment } from "../segment/segment.ts";
import { Structure } from "../segment/structure.ts";
import { codecs } from "../struct/codec.ts";
import { type ScratchCodec, scratchForm } from "../struct/scratch-codec.ts";
import { Scratch } from "../struct/scratch.ts";
import { formOf, missingFields } from "../struct/struct.ts";
import { HashedKey } from "../struct/hashed-key.ts";
import { MapMemory } from "./algorithm/map-memory.ts";
import { ABSENT, MapReader } from "./algorithm/map-reader.ts";
import { rebuild } from "./algorithm/map-repair.ts";
import { type SharedMapStats, mapSize, mapStats } from "./algorithm/map-stats.ts";
import { MapWriter, REFUSED, STORED } from "./algorithm/map-writer.ts";
import { MapEntries } from "./map-entries.ts";
import { MAP_KIND, checkFoundMap, mapHeader, readMap } from "./map-header.ts";
import { OwnedStripeLocks } from "./map-locks.ts";
import {
  type SharedMapCreateOptions,
  type SharedMapInitOptions,
  type SharedMapKey,
  type SharedMapNewOptions,
  type SharedMapOpenOptions,
  type SharedMapOptions,
  type SharedMapSetOptions,
  checkAmount,
  checkFindOptions,
  checkNewOptions,
  expiryOf,
  numberOf,
} from "./map-options.ts";

/** In the place of an expiry: the entry keeps the one that it has. */
const KEPT = -1;

/**
 * A hash map in shared memory, which any number of processes read and write.
 *
 * Reads never block: they take no lock, store only a hint, and return a copy of a value that was
 * there during the call and may be stale after it. Writers of one of up to 64 stripes take turns by
 * a robust mutex, so a write blocks while another one copies or updates in the same stripe. The
 * memory is fixed when the map is made. An entry takes its key and value plus 32 bytes, rounded up
 * to units, and about 8 bytes of index.
 *
 * What a crash leaves: a writer killed at any instant leaves the old or the new value of its key,
 * and every other entry as it was. The next writer of the stripe repairs the rest; readers notice
 * nothing.
 *
 * Entries expire by the time since the machine's start, which no setting of its clock moves; in a
 * map in a file, one with a `ttlMs` from before that start has expired. Use a database when data
 * must outlive a restart of the machine or need queries; Redis when several machines share them.
 *
 * @example
 * ```ts
 * const codec = codecs.json<{ user: string }>();
 * using sessions = SharedMap.create("/sessions", { size: 2 ** 24, codec });
 * sessions.set("s1", { user: "ada" }, { ttlMs: 60_000 });
 * // in another process:
 * using same = SharedMap.open("/sessions", { codec });
 * console.log(same.get("s1")?.user, same.size); // ada 1
 * sessions.unlink();
 * ```
 */
export class SharedMap<V, K extends SharedMapKey = string> implements Disposable {
  /**
   * The fields of the struct that the map's values do not hold, since the map was made before the
   * struct had them: they read as their defaults, and take no other value. Mostly none.
   */
  readonly missingFields: readonly string[];
  readonly #placed: Placed;
  readonly #memory: MapMemory;
  readonly #codec: ScratchCodec<V>;
  readonly #entries: MapEntries<V, K>;
  readonly #key: HashedKey;
  /** The key of the entry that `update` has locked, while its callback uses other keys. */
  readonly #lockedKey: HashedKey;
  /** Private memory: the value that was read, and the one that is about to be written. */
  readonly #found: Scratch = new Scratch(4096);
  readonly #value: Scratch = new Scratch(4096);
  readonly #reader: MapReader;
  readonly #writer: MapWriter;
  readonly #guard: WriteGuard;

  private constructor(structure: Structure, options: SharedMapOptions<V, K>) {
    Structure.check(structure, "SharedMap");
    const { key } = options;
    const { placed, segment, dataOffset, header } = structure;
    const codec = formOf(options.codec, header.codec ?? "") ?? options.codec;
    const { shape, seeds, evicts, hasBytesKeys } = readMap(structure);
    const memory = new MapMemory(segment.buffer, dataOffset, shape, bootClock());
    const hold = segment.holds.register(this, `a lock of ${structure.what}`, segment.mapping);
    this.#placed = placed;
    this.missingFields = missingFields(options.codec, codec);
    this.#guard = new WriteGuard(placed, hold);
    this.#memory = memory;
    this.#codec = scratchForm(codec);
    this.#key = new HashedKey(seeds[0] | 0, seeds[1] | 0, !hasBytesKeys);
    this.#lockedKey = new HashedKey(seeds[0] | 0, seeds[1] | 0, !hasBytesKeys);
    this.#reader = new MapReader(memory, this.#found, evicts && segment.access !== "read");
    this.#writer = new MapWriter(memory, new OwnedStripeLocks(structure, memory), evicts);
    this.#entries = new MapEntries(
      { placed, memory },
      { reader: this.#reader, found: this.#found },
      { codec: this.#codec, bytesKeys: hasBytesKeys || (key as unknown) === codecs.raw },
    );
  }

  /**
   * Makes a map in a segment of its own. Does not block.
   *
   * @param name The segment's name, as `Segment.create` takes it.
   * @returns A handle to close.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static create<V, K extends SharedMapKey = string>(
    name: string,
    options: SharedMapCreateOptions<V, K>,
  ): SharedMap<V, K> {
    checkNewOptions(`Cannot create map ${shown(name)}`, "create", options);
    const fill = SharedMap.#filler(options);
    return Structure.create(MAP_KIND, name, mapHeader(options), options, fill);
  }

  /**
   * Finds a map that has a segment of its own. Blocks for `waitMs` while there is no such name, and
   * while its creator is at work, which `waitMs` bounds too (half a minute without it).
   *
   * @returns A handle to close.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when the map has another codec or another form of keys, or something else has the
   *   name; StateError ENODATA when it is unfinished.
   * @throws RangeError, TypeError for a bad name or bad options.
   */
  static open<V, K extends SharedMapKey = string>(
    name: string,
    options: SharedMapOpenOptions<V, K>,
  ): SharedMap<V, K> {
    checkFindOptions(`Cannot open map ${shown(name)}`, "open", options);
    return Structure.open(MAP_KIND, name, options, SharedMap.#finder(options));
  }

  /**
   * Finds a map, or makes it: exactly one of several callers at the same time makes it, and
   * `created` says which. Blocks like `open` while another caller is at work.
   *
   * @returns A handle to close.
   * @throws The errors of `create` and `open`, except EEXIST and ENOENT; LayoutError also when the
   *   map differs in an option that is given.
   */
  static openOrCreate<V, K extends SharedMapKey = string>(
    name: string,
    options: SharedMapCreateOptions<V, K> & OwnerOptions,
  ): SharedMap<V, K> {
    checkNewOptions(`Cannot open or create map ${shown(name)}`, "openOrCreate", options);
    const [fill, find] = [SharedMap.#filler(options), SharedMap.#finder(options)];
    return Structure.openOrCreate(MAP_KIND, name, mapHeader(options), options, fill, find);
  }

  /** Removes a map's name; open handles go on working. @returns Whether there was one. */
  static unlink(name: string): boolean {
    return Segment.unlink(name);
  }

  /**
   * Makes a map inside the caller's segment. Blocks for half a minute at most, while another
   * process makes one there.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws StateError EEXIST when a map is there, unless `overwrite` is set.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static init<V, K extends SharedMapKey = string>(
    segment: Segment,
    offset: number,
    options: SharedMapInitOptions<V, K>,
  ): SharedMap<V, K> {
    checkNewOptions("Cannot make a map", "init", options);
    const fill = SharedMap.#filler(options);
    return Structure.init(MAP_KIND, segment, offset, mapHeader(options), options, fill);
  }

  /**
   * Finds a map inside the caller's segment. Blocks while its maker lives and is at work, for half
   * a minute at most.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws LayoutError when the map has another codec or another form of keys, or something else
   *   is there; StateError ENODATA when nothing is there, or its maker died half way.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static at<V, K extends SharedMapKey = string>(
    segment: Segment,
    offset: number,
    options: SharedMapOptions<V, K>,
  ): SharedMap<V, K> {
    checkFindOptions("Cannot find a map", "at", options);
    return Structure.at(MAP_KIND, segment, offset, SharedMap.#finder(options));
  }

  /** @returns The bytes that a map takes in a segment: its size. @throws RangeError, TypeError. */
  static byteLength<V, K extends SharedMapKey = string>(
    options: SharedMapInitOptions<V, K>,
  ): number {
    checkNewOptions("Cannot measure a map", "init", options);
    return options.size;
  }

  /** @returns The function that fills a new map. */
  static #filler<V, K extends SharedMapKey>(options: SharedMapNewOptions<V, K>) {
    return (structure: Structure): SharedMap<V, K> => {
      const map = new SharedMap(structure, options);
      for (let stripe = 0; stripe <= map.#memory.stripeMask; stripe++) {
        rebuild(map.#memory, map.#memory.stripeOf(stripe));
      }
      return map;
    };
  }

  /** @returns The function that makes a handle of a map that was found. */
  static #finder<V, K extends SharedMapKey>(options: SharedMapOptions<V, K>) {
    return (structure: Structure): SharedMap<V, K> => {
      checkFoundMap(structure, options);
      return new SharedMap(structure, options);
    };
  }

  /** The segment's name. */
  get name(): string {
    return this.#placed.name;
  }

  /** The segment in which the map lies. */
  get segment(): Segment {
    return this.#placed.segment;
  }

  /** Bytes from the segment's start to the map. */
  get offset(): number {
    return this.#placed.offset;
  }

  /** Whether this handle made the map. */
  get created(): boolean {
    return this.#placed.created;
  }

  /** Whether this handle or its segment was closed, or the segment was mapped again. */
  get closed(): boolean {
    return this.#placed.closed;
  }

  /**
   * Reads a key's value. Never blocks; the value is stale the moment it is returned.
   *
   * @param key Text, which stands for its UTF-8, or bytes: at most 1024 of them.
   * @returns A copy of the value; undefined when the key is absent or its entry has expired.
   * @throws RangeError, TypeError for a bad key; LayoutError when the bytes are no map; the codec's
   *   error; ClosedError.
   */
  get(key: K | string): V | undefined {
    this.#placed.checkOpen();
    this.#key.set(key);
    const length = this.#reader.read(this.#key);
    return length === ABSENT ? undefined : this.#codec.decode(this.#found, 0, length);
  }

  /**
   * Copies the bytes of a key's value into `target`; allocates nothing. Never blocks.
   *
   * @returns The number of bytes; undefined when the key is absent or its entry has expired.
   * @throws The errors of `get`; RangeError also when `target` is too small.
   */
  getInto(key: K | string, target: Uint8Array): number | undefined {
    this.#placed.checkOpen();
    checkBytes("Cannot copy a value", "the target", target);
    this.#key.set(key);
    const length = this.#reader.read(this.#key);
    if (length === ABSENT) return undefined;
    if (length > target.length) {
      throw new RangeError(
        `Cannot copy a value of ${length} bytes into ${target.length}: it does not fit`,
      );
    }
    this.#found.fixed.take(0, target, length);
    return length;
  }

  /**
   * Looks for a key. Never blocks; the answer is stale the moment it is returned.
   * @returns Whether the key is there, and its entry valid. @throws The errors of `get`.
   */
  has(key: K | string): boolean {
    this.#placed.checkOpen();
    this.#key.set(key);
    return this.#reader.read(this.#key, false) !== ABSENT;
  }

  /**
   * Stores a value in one step: readers see the old one or the new one. Blocks this thread while
   * another writer has the stripe.
   *
   * @param key Text, which stands for its UTF-8, or bytes: at most 1024 of them. A map whose keys
   *   are text takes only bytes that are UTF-8.
   * @returns true when it is stored; false when the map is full and refuses: nothing changed then.
   * @throws RangeError for a bad key (text with a lone surrogate is one), or an entry longer than a
   *   map of this size can hold; TypeError for a bad key or option, or a value that is not the
   *   codec's; the codec's error; StateError EDEADLK in a callback of `update`; LayoutError when
   *   the bytes are no map; ClosedError.
   */
  set(key: K | string, value: V, options?: SharedMapSetOptions): boolean {
    return this.#set(false, key, value, options) === STORED;
  }

  /**
   * Stores a value in one step, if the key is absent. Blocks like `set`.
   *
   * @returns true when it is stored; false when the key is there, or the map is full and refuses.
   * @throws The errors of `set`.
   */
  setIfAbsent(key: K | string, value: V, options?: SharedMapSetOptions): boolean {
    return this.#set(true, key, value, options) === STORED;
  }

  #set(absent: boolean, key: SharedMapKey, value: V, options?: SharedMapSetOptions): number {
    this.#guard.check("write to");
    // The user's code comes first, outside the lock: options, and values that encode themselves. It
    // may use this handle, and close it; what throws here has touched nothing.
    const expiry = expiryOf(options, 0);
    const length = this.#codec.encode(value, this.#value);
    this.#placed.checkOpen();
    this.#key.setNew(key);
    return this.#writer.set(this.#key, this.#value, length, expiry, absent);
  }

  /**
   * Removes a key. Blocks like `set`.
   * @returns Whether it was there.
   * @throws The errors of `set`.
   */
  delete(key: K | string): boolean {
    this.#guard.check("write to");
    this.#key.set(key);
    return this.#writer.delete(this.#key);
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
    checkSyncFunction(`Cannot update ${this.#placed.what}`, "its callback", fn);
    return this.#update(key, fn, options);
  }

  #update(
    key: K | string,
    fn: (value: V | undefined) => V | undefined,
    options: SharedMapSetOptions | undefined,
  ): boolean {
    this.#guard.check("update");
    // Checked outside the lock: what throws here has touched nothing.
    const expiry = expiryOf(options, KEPT);
    this.#placed.checkOpen();
    const locked = this.#lockedKey;
    locked.setNew(key);
    const { hash } = locked;
    const stripe = this.#writer.lock(hash);
    this.#guard.begin();
    try {
      const slot = this.#writer.find(stripe, locked);
      const length = slot === 0 ? ABSENT : this.#reader.readAt(locked, stripe, slot);
      const kept = length === ABSENT ? 0 : this.#reader.expiry;
      const old = length === ABSENT ? undefined : this.#codec.decode(this.#found, 0, length);
      const value = fn(old);
      checkSyncAnswer(`Cannot update ${this.#placed.what}`, value);
      const encoded = value === undefined ? ABSENT : this.#codec.encode(value, this.#value);
      if (encoded === ABSENT) {
        if (slot !== 0) this.#writer.remove(stripe, slot);
        return true;
      }
      const need = this.#writer.checkLength(locked, encoded);
      const end = expiry === KEPT ? kept : expiry;
      const answer = this.#writer.put(stripe, slot, locked, this.#value, encoded, end, need);
      return answer !== REFUSED;
    } finally {
      this.#guard.end();
      this.#writer.unlock(hash);
    }
  }

  /**
   * Adds to a number, which counts as 0 when the key is absent. Readers see the old or the new
   * number. The entry keeps its expiry unless `ttlMs` is given. Blocks like `set`.
   *
   * @param by A finite number. Default 1.
   * @returns The new number; undefined when the map is full and refuses.
   * @throws The errors of `set`; TypeError when the value is not a number.
   */
  increment(
    this: SharedMap<number, K>,
    key: K | string,
    by = 1,
    options?: SharedMapSetOptions,
  ): number | undefined {
    checkAmount(by);
    let sum = by;
    const stored = this.#update(key, (old) => (sum = numberOf(old) + by), options);
    return stored ? sum : undefined;
  }

  /**
   * The number of entries, including expired ones whose memory was not reclaimed yet. Never blocks;
   * stale the moment it is returned. @throws ClosedError.
   */
  get size(): number {
    this.#placed.checkOpen();
    return mapSize(this.#memory);
  }

  /**
   * Removes every entry, one stripe after the other. Blocks like `set`.
   * @throws The errors of `set`.
   */
  clear(): void {
    this.#guard.check("clear");
    this.#writer.clear();
  }

  /**
   * Counts what the map holds and has done. Never blocks.
   * @returns Numbers that are right one by one, and stale the moment they are returned.
   * @throws ClosedError.
   */
  stats(): SharedMapStats {
    this.#placed.checkOpen();
    return mapStats(this.#memory);
  }

  /**
   * Yields keys and values, in no order. Never blocks: an entry that is there all the time is seen
   * once; one that comes or goes meanwhile may be seen or not. Each value is whole.
   * @throws ClosedError, also when the map is closed during the loop; LayoutError; the codec's
   *   error.
   */
  entries(): Generator<[K, V], void, void> {
    this.#placed.checkOpen();
    return this.#entries.walk((at) => [at.key(), at.value()]);
  }

  /** Yields the same as `entries`. */
  [Symbol.iterator](): Generator<[K, V], void, void> {
    return this.entries();
  }

  /**
   * Yields the keys that `entries` yields; values are not decoded.
   * @throws The errors of `entries`.
   */
  keys(): Generator<K, void, void> {
    this.#placed.checkOpen();
    return this.#entries.walk((at) => at.key());
  }

  /** Yields the values that `entries` yields. @throws The errors of `entries`. */
  values(): Generator<V, void, void> {
    this.#placed.checkOpen();
    return this.#entries.walk((at) => at.value());
  }

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one.
   * Asks the kernel; stale the moment it returns. @throws ClosedError; SystemError EACCES.
   */
  get unlinked(): boolean {
    return this.#placed.unlinked;
  }

  /**
   * Removes the segment's name, if the name still stands for this map's segment.
   * @returns Whether this call removed it. @throws ClosedError; `SharedMap.unlink` works then.
   */
  unlink(): boolean {
    return this.#placed.unlink();
  }

  /**
   * Closes this handle, and the segment if this handle opened it. The entries stay. Does nothing
   * when called again.
   * @throws StateError EBUSY in a callback of `update`.
   */
  close(): void {
    this.#guard.mayClose();
    this.#placed.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
