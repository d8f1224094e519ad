import { checkBytes, checkSyncAnswer, checkSyncFunction, shown } from "../arguments.ts";
import { StateError } from "../errors.ts";
import type { Placed } from "../segment/placed.ts";
import { Segment } from "../segment/segment.ts";
import { Structure } from "../segment/structure.ts";
import { codecs } from "../struct/codec.ts";
import { type ScratchCodec, scratchForm } from "../struct/scratch-codec.ts";
import { Scratch } from "../struct/scratch.ts";
import { MapKey } from "./algorithm/map-key.ts";
import { MapMemory } from "./algorithm/map-memory.ts";
import { ABSENT, MapReader } from "./algorithm/map-reader.ts";
import { rebuild } from "./algorithm/map-repair.ts";
import { type MapStats, mapSize, mapStats } from "./algorithm/map-stats.ts";
import { MapWriter, REFUSED, STORED } from "./algorithm/map-writer.ts";
import { MapEntries } from "./map-entries.ts";
import { MAP_KIND, checkFoundMap, mapHeader, readMap } from "./map-header.ts";
import { RobustStripeLocks } from "./map-locks.ts";
import {
  type MapKeyValue,
  type SetOptions,
  type SharedMapCreateOptions,
  type SharedMapInitOptions,
  type SharedMapNewOptions,
  type SharedMapOpenOptions,
  type SharedMapOptions,
  checkAmount,
  checkFindOptions,
  checkNewOptions,
  expiryOf,
  numberOf,
} from "./map-options.ts";

/** Stands for the expiry that an entry has. */
const KEPT = -1;

/**
 * A hash map in shared memory: any number of processes read and write it.
 *
 * Readers take no lock, write nothing but a hint, and wait for nobody; what they return is a copy
 * of a value that was there during the call. Writers take turns in each of up to 64 stripes, by a
 * robust mutex. Memory is fixed at creation. An entry costs its key and value plus 32
 * bytes, rounded up to units, and about 8 bytes of index.
 *
 * What a crash leaves: a writer killed at any instant leaves its key's old value or the new one,
 * and every other entry as it was; the next writer of the stripe tidies up. Readers notice nothing.
 *
 * A TTL goes by the system's clock. Use a database when the data must outlive the machine's uptime
 * or need queries; Redis when several machines share them.
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
export class SharedMap<V, K extends MapKeyValue = string> implements Disposable {
  readonly #placed: Placed;
  readonly #memory: MapMemory;
  readonly #codec: ScratchCodec<V>;
  readonly #entries: MapEntries<V, K>;
  readonly #key: MapKey;
  /** What was read, and what is about to be written. */
  readonly #found: Scratch = new Scratch(4096);
  readonly #value: Scratch = new Scratch(4096);
  readonly #reader: MapReader;
  readonly #writer: MapWriter;
  readonly #locks: RobustStripeLocks;
  /** While a callback of `update` runs, which holds a lock. */
  #updating = false;

  private constructor(structure: Structure, options: SharedMapOptions<V, K>) {
    Structure.check(structure, "SharedMap");
    const { codec, key } = options;
    const { placed, segment, dataOffset } = structure;
    const { shape, seeds, evict, bytesKeys } = readMap(structure);
    const memory = new MapMemory(segment.buffer, dataOffset, shape);
    const locks = new RobustStripeLocks(this, structure, memory);
    this.#placed = placed;
    this.#memory = memory;
    this.#codec = scratchForm(codec);
    this.#key = new MapKey(seeds[0] | 0, seeds[1] | 0);
    this.#reader = new MapReader(memory, this.#found);
    this.#writer = new MapWriter(memory, locks, evict);
    this.#locks = locks;
    this.#entries = new MapEntries(
      { placed, memory },
      { reader: this.#reader, found: this.#found },
      { codec: this.#codec, bytesKeys: bytesKeys || (key as unknown) === codecs.raw },
    );
  }

  /**
   * Makes a map in a segment of its own.
   *
   * @throws SystemError EEXIST, ENOSPC, EACCES; UnsupportedError without robust mutexes (macOS).
   * @throws RangeError, TypeError for bad options.
   */
  static create<V, K extends MapKeyValue = string>(
    name: string,
    options: SharedMapCreateOptions<V, K>,
  ): SharedMap<V, K> {
    checkNewOptions(`Cannot create map ${shown(name)}`, "create", options);
    const fill = SharedMap.#filler(options);
    return Structure.create(MAP_KIND, name, mapHeader(options), options, fill);
  }

  /**
   * Finds a map that has a segment of its own.
   *
   * @throws LayoutError when it has another codec or other keys, or something else has the name;
   *   SystemError ENOENT, EACCES; StateError ENODATA.
   */
  static open<V, K extends MapKeyValue = string>(
    name: string,
    options: SharedMapOpenOptions<V, K>,
  ): SharedMap<V, K> {
    checkFindOptions(`Cannot open map ${shown(name)}`, "open", options);
    return Structure.open(MAP_KIND, name, options, SharedMap.#finder(options));
  }

  /**
   * Finds a map, or makes it: exactly one of those that come at once makes it.
   * @throws As `create` and `open`; LayoutError when there is one with other options.
   */
  static openOrCreate<V, K extends MapKeyValue = string>(
    name: string,
    options: SharedMapCreateOptions<V, K>,
  ): SharedMap<V, K> {
    checkNewOptions(`Cannot open or create map ${shown(name)}`, "create", options);
    const [fill, find] = [SharedMap.#filler(options), SharedMap.#finder(options)];
    return Structure.openOrCreate(MAP_KIND, name, mapHeader(options), options, fill, find);
  }

  /** Removes a map's name; who has it open keeps it. @returns Whether there was one. */
  static unlink(name: string): boolean {
    return Segment.unlink(name);
  }

  /**
   * Makes a map inside a segment of the user's.
   *
   * @param offset A multiple of 128, in bytes.
   * @throws StateError EEXIST when one is there; RangeError, TypeError for bad options or a place
   *   that cannot be.
   */
  static init<V, K extends MapKeyValue = string>(
    segment: Segment,
    offset: number,
    options: SharedMapInitOptions<V, K>,
  ): SharedMap<V, K> {
    checkNewOptions("Cannot make a map", "init", options);
    const fill = SharedMap.#filler(options);
    return Structure.init(MAP_KIND, segment, offset, mapHeader(options), options, fill);
  }

  /** Finds a map inside a segment of the user's. @throws As `open`. */
  static at<V, K extends MapKeyValue = string>(
    segment: Segment,
    offset: number,
    options: SharedMapOptions<V, K>,
  ): SharedMap<V, K> {
    checkFindOptions("Cannot find a map", "at", options);
    return Structure.at(MAP_KIND, segment, offset, SharedMap.#finder(options));
  }

  /** Bytes that a map takes: its size. */
  static byteLength<V, K extends MapKeyValue = string>(
    options: SharedMapInitOptions<V, K>,
  ): number {
    checkNewOptions("Cannot measure a map", "init", options);
    return options.size;
  }

  /** How a new map is filled. */
  static #filler<V, K extends MapKeyValue>(options: SharedMapNewOptions<V, K>) {
    return (structure: Structure): SharedMap<V, K> => {
      const map = new SharedMap(structure, options);
      map.#locks.init();
      for (let stripe = 0; stripe <= map.#memory.stripeMask; stripe++) {
        rebuild(map.#memory, map.#memory.stripeOf(stripe));
      }
      return map;
    };
  }

  /** How a map is taken that was found. */
  static #finder<V, K extends MapKeyValue>(options: SharedMapOptions<V, K>) {
    return (structure: Structure): SharedMap<V, K> => {
      checkFoundMap(structure, options);
      return new SharedMap(structure, options);
    };
  }

  /** The name of its segment. */
  get name(): string {
    return this.#placed.name;
  }

  /** The segment in which it lies. */
  get segment(): Segment {
    return this.#placed.segment;
  }

  /** Where it lies in the segment, in bytes. */
  get offset(): number {
    return this.#placed.offset;
  }

  /** Whether this handle made it. */
  get created(): boolean {
    return this.#placed.created;
  }

  /** Whether this handle, or its segment, was closed. */
  get closed(): boolean {
    return this.#placed.closed;
  }

  /**
   * A key's value. Never blocks; stale the moment it returns.
   *
   * @param key Text, which is its UTF-8, or bytes: at most 1024.
   * @returns A copy, or undefined when the key is not there.
   * @throws RangeError, TypeError for a bad key; LayoutError when the bytes are no map;
   *   ClosedError.
   */
  get(key: MapKeyValue): V | undefined {
    this.#placed.checkOpen();
    this.#key.set(key);
    const length = this.#reader.read(this.#key);
    return length === ABSENT ? undefined : this.#codec.decode(this.#found, 0, length);
  }

  /**
   * Copies a key's value, as bytes, into `target`: allocates nothing. Never blocks.
   * @returns Its length in bytes, or undefined when the key is not there.
   * @throws As `get`; RangeError when `target` is too small.
   */
  getInto(key: MapKeyValue, target: Uint8Array): number | undefined {
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
    this.#found.node.copy(target, 0, 0, length);
    return length;
  }

  /** Whether a key is there; stale the moment it returns. Never blocks. */
  has(key: MapKeyValue): boolean {
    this.#placed.checkOpen();
    this.#key.set(key);
    return this.#reader.read(this.#key) !== ABSENT;
  }

  /**
   * Stores a value in one step: readers see the old one or the new one.
   *
   * @returns false when the map is full, and may not evict; then nothing has changed.
   * @throws RangeError for what no map of this size could hold; TypeError for a value that is not
   *   the codec's; StateError EDEADLK in a callback of `update`; ClosedError.
   */
  set(key: MapKeyValue, value: V, options?: SetOptions): boolean {
    return this.#set(key, value, options, false) === STORED;
  }

  /** As `set`, if the key is not there. @returns false when it is, or when the map is full. */
  setIfAbsent(key: MapKeyValue, value: V, options?: SetOptions): boolean {
    return this.#set(key, value, options, true) === STORED;
  }

  #set(key: MapKeyValue, value: V, options: SetOptions | undefined, absent: boolean): number {
    this.#mustBeFree("write to");
    // Encoded outside the lock: what throws here has touched nothing.
    const length = this.#codec.encode(value, this.#value);
    this.#key.set(key);
    const expiry = expiryOf(options, 0);
    return this.#writer.set(this.#key, this.#value, length, expiry, absent);
  }

  /** Removes a key. @returns Whether it was there. */
  delete(key: MapKeyValue): boolean {
    this.#mustBeFree("write to");
    this.#key.set(key);
    return this.#writer.delete(this.#key);
  }

  /**
   * Replaces a key's value by what `fn` makes of it, with no other write to it in between; removes
   * it when `fn` answers undefined. `fn` is synchronous, holds up the writers of a stripe, and must
   * not write to this map. If it throws, nothing changes. The entry keeps its expiry unless
   * `ttlMs` is given.
   *
   * @returns false when the map is full, and may not evict.
   * @throws As `set`; TypeError when `fn` returns a promise.
   */
  update(
    key: MapKeyValue,
    fn: (value: V | undefined) => V | undefined,
    options?: SetOptions,
  ): boolean {
    checkSyncFunction(`Cannot update ${this.#placed.what}`, "its callback", fn);
    return this.#update(key, fn, options);
  }

  #update(
    key: MapKeyValue,
    fn: (value: V | undefined) => V | undefined,
    options: SetOptions | undefined,
  ): boolean {
    this.#mustBeFree("update");
    // Looked at outside the lock: what throws here has touched nothing.
    const expiry = expiryOf(options, KEPT);
    this.#key.set(key);
    const { hash } = this.#key;
    const stripe = this.#writer.lock(hash);
    try {
      const slot = this.#writer.find(stripe, this.#key);
      const length = slot === 0 ? ABSENT : this.#reader.read(this.#key);
      const kept = length === ABSENT ? 0 : this.#reader.expiry;
      const old = length === ABSENT ? undefined : this.#codec.decode(this.#found, 0, length);
      const value = this.#call(hash, fn, old);
      // The callback may have looked other keys up.
      this.#key.set(key);
      if (value === undefined) {
        if (slot !== 0) this.#writer.remove(stripe, slot);
        return true;
      }
      const encoded = this.#codec.encode(value, this.#value);
      const need = this.#writer.checkLength(this.#key, encoded);
      const end = expiry === KEPT ? kept : expiry;
      const answer = this.#writer.put(stripe, slot, this.#key, this.#value, encoded, end, need);
      return answer !== REFUSED;
    } finally {
      this.#writer.unlock(hash);
    }
  }

  /** Runs a callback of `update`, whose stripe stays locked and mapped meanwhile. */
  #call(
    hash: number,
    fn: (old: V | undefined) => V | undefined,
    old: V | undefined,
  ): V | undefined {
    this.#updating = true;
    try {
      const value = this.#locks.holding(hash & this.#memory.stripeMask, () => fn(old));
      checkSyncAnswer(`Cannot update ${this.#placed.what}`, value);
      return value;
    } finally {
      this.#updating = false;
    }
  }

  /**
   * Adds to a number, which counts as 0 when the key is not there. One step, also for readers.
   *
   * @returns The new number, or undefined when the map is full, and may not evict.
   * @throws TypeError when the value is no number; as `set`.
   */
  increment(
    this: SharedMap<number, K>,
    key: MapKeyValue,
    by = 1,
    options?: SetOptions,
  ): number | undefined {
    checkAmount(by);
    let sum = by;
    const stored = this.#update(key, (old) => (sum = numberOf(old) + by), options);
    return stored ? sum : undefined;
  }

  /** How many entries there are, those included that expired and were not reclaimed yet. */
  get size(): number {
    this.#placed.checkOpen();
    return mapSize(this.#memory);
  }

  /** Removes every entry, one stripe after the other. */
  clear(): void {
    this.#mustBeFree("clear");
    this.#writer.clear();
  }

  /** What the map holds and has seen; each number by itself is right, all are stale at once. */
  stats(): MapStats {
    this.#placed.checkOpen();
    return mapStats(this.#memory);
  }

  /**
   * Keys and values, in no order. Takes no lock: an entry that is there all the time is seen once;
   * one that comes or goes meanwhile may be seen or not; each value is whole.
   */
  entries(): Generator<[K, V], void, void> {
    this.#placed.checkOpen();
    return this.#entries.walk((at) => [at.key(), at.value()]);
  }

  /** As `entries`. */
  [Symbol.iterator](): Generator<[K, V], void, void> {
    return this.entries();
  }

  /** The keys, as `entries` gives them; values are not decoded. */
  keys(): Generator<K, void, void> {
    this.#placed.checkOpen();
    return this.#entries.walk((at) => at.key());
  }

  /** The values, as `entries` gives them. */
  values(): Generator<V, void, void> {
    this.#placed.checkOpen();
    return this.#entries.walk((at) => at.value());
  }

  /** Removes the segment's name; who has it open keeps it. @returns Whether this call did. */
  unlink(): boolean {
    return this.#placed.unlink();
  }

  /**
   * Ends this handle's use, and its segment's if that was opened for it. The entries stay.
   * @throws StateError EBUSY in a callback of `update`.
   */
  close(): void {
    if (this.#updating) {
      throw new StateError(
        "EBUSY",
        `Cannot close ${this.#placed.what}: its lock is held by update`,
      );
    }
    this.#placed.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mustBeFree(verb: string): void {
    this.#placed.checkOpen();
    if (!this.#updating) return;
    const why = "a callback of its own update is running, and holds a lock";
    throw new StateError("EDEADLK", `Cannot ${verb} ${this.#placed.what}: ${why}`);
  }
}
