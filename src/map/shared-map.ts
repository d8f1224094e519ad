import { layoutHash } from "../layout/description.ts";
import { MAP_BUCKET, MAP_ENTRY, MAP_STRIPE } from "../layout/map-layout.ts";
import { SEGMENT_HEADER_LENGTH, SEGMENT_KINDS } from "../layout/segment-header.ts";
import { MUTEX_ABI } from "../libc/pthread.ts";
import { RobustMutex } from "../locks/robust-mutex.ts";
import type { Segment } from "../segment/segment.ts";
import { MapMemory } from "./algorithm/map-memory.ts";
import {
  type MapOptions,
  checkMapOptions,
  defaultUnitLength,
  readMapShape,
} from "./map-options.ts";
import { ABSENT, MapReader } from "./algorithm/map-reader.ts";
import { rebuild } from "./algorithm/map-repair.ts";
import { MapKey, Scratch } from "./algorithm/map-scratch.ts";
import { type MapShape, mapLength, planMap } from "./algorithm/map-shape.ts";
import { type MapStats, mapSize, mapStats, slotsOf } from "./algorithm/map-stats.ts";
import { MapWriter, REFUSED, STORED, type StripeLocks } from "./algorithm/map-writer.ts";
import {
  Structure,
  type StructureCreateOptions,
  type StructureOpenOptions,
} from "../segment/old-structure.ts";
import { type ValueCodec, type ValueOf, type ValueType, codecOf } from "../struct/value-type.ts";

/** How a map is made. */
export interface SharedMapCreateOptions<T extends ValueType>
  extends StructureCreateOptions, MapOptions {
  /** What values are: "bytes", "utf8", "json", "number", a struct, or `{ encode, decode }`. */
  readonly value: T;
}

/** What an entry is stored with. */
export interface SetOptions {
  /** Milliseconds after which the entry is gone. Default: it stays. */
  readonly ttlMs?: number;
}

const HASH = layoutHash(MAP_STRIPE, MAP_BUCKET, MAP_ENTRY);
const KINDS = { [SEGMENT_KINDS.map]: { layoutHash: HASH } };
const FLAG_EVICT = 1;
const FLAG_BYTES_KEYS = 2;

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
 * const Session = json<{ user: string }>();
 * using sessions = SharedMap.create("/sessions", { size: 2 ** 24, value: Session });
 * sessions.set("s1", { user: "ada" }, { ttlMs: 60_000 });
 * // in another process:
 * using same = SharedMap.open("/sessions", Session);
 * console.log(same.get("s1")?.user, same.size); // ada 1
 * sessions.unlink();
 * ```
 */
export class SharedMap<V> implements Disposable {
  readonly #structure: Structure;
  readonly #memory: MapMemory;
  readonly #codec: ValueCodec<V>;
  readonly #bytesKeys: boolean;
  readonly #key: MapKey;
  /** What was read, and what is about to be written. */
  readonly #found: Scratch = new Scratch(4096);
  readonly #value: Scratch = new Scratch(4096);
  readonly #reader: MapReader;
  readonly #writer: MapWriter;
  readonly #locks: readonly RobustMutex[];
  /** While a callback of `update` runs, which holds a lock. */
  #updating = false;

  private constructor(structure: Structure, shape: MapShape, codec: ValueCodec<V>) {
    const { segment, dataOffset, header, what } = structure;
    const [, , , , seed0 = 0, seed1 = 0, flags = 0] = header.parameters ?? [];
    const memory = new MapMemory(segment.buffer, dataOffset, shape);
    const hold = segment.holds.register(this, `a lock of ${what}`, segment.mapping);
    const locks = Array.from({ length: shape.stripeCount }, (_, stripe) => {
      const offset = dataOffset + stripe * memory.stride * 4;
      return new RobustMutex(segment.mapping, offset, `stripe ${stripe} of ${what}`, hold);
    });
    const striped: StripeLocks = {
      lock: (stripe) => locks[stripe]!.lock(),
      unlock: (stripe) => locks[stripe]!.unlock(),
    };
    this.#structure = structure;
    this.#memory = memory;
    this.#codec = codec;
    this.#bytesKeys = (flags & FLAG_BYTES_KEYS) !== 0;
    this.#key = new MapKey(seed0 | 0, seed1 | 0);
    this.#reader = new MapReader(memory, this.#found);
    this.#writer = new MapWriter(memory, striped, (flags & FLAG_EVICT) !== 0);
    this.#locks = locks;
  }

  /**
   * Makes a map in a new segment, or in one that is given.
   *
   * @throws SystemError EEXIST, ENOSPC, EACCES; UnsupportedError without robust mutexes (macOS).
   * @throws RangeError, TypeError for bad options.
   */
  static create<const T extends ValueType>(
    target: string | Segment,
    options: SharedMapCreateOptions<T>,
  ): SharedMap<ValueOf<T>> {
    const plan = SharedMap.#plan(options);
    Structure.create("map", target, plan.header, options, plan.fill);
    return plan.made()!;
  }

  /**
   * Attaches to a map, or makes it: exactly one of those that come at once makes it. The options of
   * the others count for nothing but `value`. @throws As `create` and `open`.
   */
  static openOrCreate<const T extends ValueType>(
    target: string | Segment,
    options: SharedMapCreateOptions<T>,
  ): SharedMap<ValueOf<T>> {
    const { header, fill, made, codec } = SharedMap.#plan(options);
    const structure = Structure.openOrCreate("map", target, KINDS, header, options, fill);
    return made() ?? SharedMap.#attach(structure, codec);
  }

  /**
   * Attaches to a map.
   *
   * @throws LayoutError when its values are of another type, or something else lies there;
   *   SystemError ENOENT, EACCES.
   */
  static open<const T extends ValueType>(
    target: string | Segment,
    value: T,
    options: StructureOpenOptions = {},
  ): SharedMap<ValueOf<T>> {
    const codec = codecOf(value) as ValueCodec<ValueOf<T>>;
    return SharedMap.#attach(Structure.open("map", target, KINDS, options), codec);
  }

  /** A new map's header, and how it is filled. */
  static #plan<T extends ValueType>(options: SharedMapCreateOptions<T>) {
    const { size, value, keys = "utf8", whenFull = "refuse" } = options;
    const { entryLength = 96, unitLength = defaultUnitLength(entryLength) } = options;
    checkMapOptions(options);
    const codec = codecOf(value) as ValueCodec<ValueOf<T>>;
    const shape = planMap(size - SEGMENT_HEADER_LENGTH, entryLength, unitLength);
    const [seed0, seed1] = crypto.getRandomValues(new Uint32Array(2));
    const flags =
      (MUTEX_ABI << 8) |
      (whenFull === "evict" ? FLAG_EVICT : 0) |
      (keys === "bytes" ? FLAG_BYTES_KEYS : 0);
    const { stripeCount, bucketCount, unitCount, unitWords } = shape;
    const numbers = [stripeCount, bucketCount, unitCount, unitWords, seed0!, seed1!];
    const header = {
      kind: SEGMENT_KINDS.map,
      layoutHash: HASH,
      dataLength: mapLength(shape),
      parameters: [...numbers, flags >>> 0, codec.hash],
    };
    let map: SharedMap<ValueOf<T>> | undefined;
    const fill = (structure: Structure): void => {
      map = new SharedMap(structure, shape, codec);
      for (const [stripe, lock] of map.#locks.entries()) {
        lock.init();
        rebuild(map.#memory, map.#memory.stripeOf(stripe));
      }
    };
    return { header, fill, codec, made: () => map };
  }

  /** A handle of a map that was found. @throws LayoutError when its values are of another type. */
  static #attach<V>(structure: Structure, codec: ValueCodec<V>): SharedMap<V> {
    try {
      return new SharedMap(
        structure,
        readMapShape(structure.what, structure.header, codec.hash, MUTEX_ABI),
        codec,
      );
    } catch (error) {
      structure.close();
      throw error;
    }
  }

  /** The segment in which it lies. */
  get segment(): Segment {
    return this.#structure.segment;
  }

  /** A key's value, or undefined. Never blocks. @throws LayoutError; RangeError: key too long. */
  get(key: string | Uint8Array): V | undefined {
    this.#key.set(key);
    const length = this.#reader.read(this.#key);
    return length === ABSENT ? undefined : this.#codec.decode(this.#found, 0, length);
  }

  /**
   * Copies a key's value, as bytes, into `target`: allocates nothing. Never blocks.
   * @returns Its length in bytes, or undefined. @throws RangeError when `target` is too small.
   */
  getInto(key: string | Uint8Array, target: Uint8Array): number | undefined {
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
  has(key: string | Uint8Array): boolean {
    this.#key.set(key);
    return this.#reader.read(this.#key) !== ABSENT;
  }

  /**
   * Stores a value in one step: readers see the old one or the new one.
   *
   * @returns false when the map is full, and may not evict; then nothing has changed.
   * @throws RangeError for what no map of this size could hold; TypeError for another type.
   */
  set(key: string | Uint8Array, value: V, options?: SetOptions): boolean {
    return this.#set(key, value, options, false) === STORED;
  }

  /** As `set`, if the key is not there. @returns false when it is, or when the map is full. */
  setIfAbsent(key: string | Uint8Array, value: V, options?: SetOptions): boolean {
    return this.#set(key, value, options, true) === STORED;
  }

  #set(
    key: string | Uint8Array,
    value: V,
    options: SetOptions | undefined,
    absent: boolean,
  ): number {
    this.#mustBeFree();
    // Encoded outside the lock: what throws here has touched nothing.
    const length = this.#codec.encode(value, this.#value);
    this.#key.set(key);
    const expiry = options?.ttlMs === undefined ? 0 : expiryOf(options.ttlMs);
    return this.#writer.set(this.#key, this.#value, length, expiry, absent);
  }

  /** Removes a key. @returns Whether it was there. */
  delete(key: string | Uint8Array): boolean {
    this.#mustBeFree();
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
   */
  update(
    key: string | Uint8Array,
    fn: (value: V | undefined) => V | undefined,
    options?: SetOptions,
  ): boolean {
    this.#mustBeFree();
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
      const expiry = options?.ttlMs === undefined ? kept : expiryOf(options.ttlMs);
      const answer = this.#writer.put(stripe, slot, this.#key, this.#value, encoded, expiry, need);
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
      const value = this.#locks[hash & this.#memory.stripeMask]!.holding(() => fn(old));
      if (typeof (value as { then?: unknown } | undefined)?.then === "function") {
        throw new TypeError("Cannot update a map with a promise: a lock is held meanwhile");
      }
      return value;
    } finally {
      this.#updating = false;
    }
  }

  /**
   * Adds to a number, which counts as 0 when the key is not there. One step, also for readers.
   *
   * @returns The new number, or undefined when the map is full, and may not evict.
   * @throws TypeError when the value is no number.
   */
  increment(
    this: SharedMap<number>,
    key: string | Uint8Array,
    by = 1,
    options?: SetOptions,
  ): number | undefined {
    let sum = by;
    const stored = this.update(
      key,
      (old) => {
        if (old !== undefined && typeof old !== "number") {
          throw new TypeError(`Cannot increment ${typeof old}: this map's values are no numbers`);
        }
        sum = (old ?? 0) + by;
        return sum;
      },
      options,
    );
    return stored ? sum : undefined;
  }

  /** How many entries there are, those included that expired and were not reclaimed yet. */
  get size(): number {
    return mapSize(this.#memory);
  }

  /** Removes every entry, one stripe after the other. */
  clear(): void {
    this.#mustBeFree();
    this.#writer.clear();
  }

  /** What the map holds and has seen; each number by itself is right, all are stale at once. */
  stats(): MapStats {
    return mapStats(this.#memory);
  }

  /**
   * Keys and values, in no order. Takes no lock: an entry that is there all the time is seen once;
   * one that comes or goes meanwhile may be seen or not; each value is whole.
   */
  *entries(): Generator<[string | Uint8Array, V], void, void> {
    const found = this.#found;
    for (const [stripe, slot] of slotsOf(this.#memory)) {
      const length = this.#reader.readSlot(stripe, slot);
      if (length === ABSENT) continue;
      const { keyLength } = this.#reader;
      const key = this.#bytesKeys
        ? found.bytes.slice(0, keyLength)
        : found.node.toString("utf8", 0, keyLength);
      yield [key, this.#codec.decode(found, (keyLength + 3) & ~3, length)];
    }
  }

  /** As `entries`. */
  [Symbol.iterator](): Generator<[string | Uint8Array, V], void, void> {
    return this.entries();
  }

  /** The keys, as `entries` gives them. */
  *keys(): Generator<string | Uint8Array, void, void> {
    for (const [key] of this.entries()) yield key;
  }

  /** Removes the segment's name; who has it open keeps it. @returns Whether this call did. */
  unlink(): boolean {
    return this.segment.unlink();
  }

  /** Ends this handle's use, and its segment's if this handle opened it. The entries stay. */
  close(): void {
    this.#structure.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #mustBeFree(): void {
    if (!this.#updating) return;
    throw new Error(`Cannot write to ${this.#structure.what} in a callback of its own update`);
  }
}

function expiryOf(ttlMs: number): number {
  if (ttlMs > 0 && ttlMs < Infinity) return Date.now() + ttlMs;
  throw new RangeError(`Cannot store an entry for ${String(ttlMs)} ms: it must be above 0`);
}
