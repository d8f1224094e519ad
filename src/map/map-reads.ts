/** What a handle of a map reads. */
import { checkBytes, checkIterable } from "../arguments.ts";
import { LIST_ENTRY } from "../layout/map-layout.ts";
import { StructureHandle } from "../segment/structure-handle.ts";
import { lengthIn } from "./algorithm/map-lists.ts";
import { ABSENT } from "./algorithm/map-reader.ts";
import { type SharedMapStats, mapSize, mapStats } from "./algorithm/map-stats.ts";
import { MapEntries, type SharedMapKeysOptions } from "./map-entries.ts";
import type { MapLocal } from "./map-local.ts";
import type { SharedMapKey } from "./map-options.ts";
import type { MapParts } from "./map-parts.ts";

/** The part of `SharedMap` that reads. */
export abstract class MapReads<V, K extends SharedMapKey> extends StructureHandle {
  readonly #parts: MapParts<V>;
  readonly #entries: MapEntries<V, K>;
  readonly #local: MapLocal<V> | undefined;

  /** @internal */
  constructor(parts: MapParts<V>, local: MapLocal<V> | undefined) {
    super(parts.placed);
    this.#parts = parts;
    this.#entries = new MapEntries(parts);
    this.#local = local;
  }

  /**
   * Reads a key's value. Never blocks; the value is stale the moment it is returned.
   *
   * @param key Text, which stands for its UTF-8, or bytes: at most 1024 of them.
   * @returns A copy of the value; undefined when the key is absent or its entry has expired. With
   *   `local`, the same object as long as the entry is the same: do not change it.
   * @throws RangeError, TypeError for a bad key; LayoutError when the bytes are no map; the codec's
   *   error; ClosedError.
   */
  get(key: K | string): V | undefined {
    const { placed, key: hashed, reader, codec, found } = this.#parts;
    placed.checkOpen();
    if (this.#local !== undefined && typeof key === "string") return this.#local.get(key);
    hashed.set(key);
    const length = reader.read(hashed);
    return length === ABSENT ? undefined : codec.decode(found, 0, length);
  }

  /**
   * Reads values like `get`, one after the other.
   * @returns As many values, in the order of the keys.
   * @throws The errors of `get`; TypeError when the keys cannot be iterated over.
   */
  getMany(keys: Iterable<K | string>): (V | undefined)[] {
    this.#parts.placed.checkOpen();
    checkIterable(`Cannot read from ${this.#parts.placed.what}`, "its keys", keys);
    return Array.from(keys, (key) => this.get(key));
  }

  /**
   * Copies the bytes of a key's value into `target`; allocates nothing. Never blocks.
   *
   * @returns The number of bytes; undefined when the key is absent or its entry has expired.
   * @throws The errors of `get`; RangeError also when `target` is too small.
   */
  getInto(key: K | string, target: Uint8Array): number | undefined {
    const { placed, key: hashed, reader, found } = this.#parts;
    placed.checkOpen();
    checkBytes("Cannot copy a value", "the target", target);
    hashed.set(key);
    const length = reader.read(hashed);
    if (length === ABSENT) return undefined;
    if (length > target.length) {
      throw new RangeError(
        `Cannot copy a value of ${length} bytes into ${target.length}: it does not fit`,
      );
    }
    found.fixed.take(0, target, length);
    return length;
  }

  /**
   * Reads a key's value and its version, which `compareAndSet` compares. Never blocks.
   *
   * @returns Both; undefined when the key is absent or its entry has expired. A version is above 0,
   *   and each write of the key makes another one.
   * @throws The errors of `get`.
   */
  getWithVersion(key: K | string): { value: V; version: number } | undefined {
    const { placed, key: hashed, reader, codec, found } = this.#parts;
    placed.checkOpen();
    hashed.set(key);
    const length = reader.read(hashed);
    if (length === ABSENT) return undefined;
    const { version } = reader;
    return { value: codec.decode(found, 0, length), version };
  }

  /**
   * Reads a key's value, even if it has expired, as long as it is kept: see `staleMs`. Without
   * that, it may be gone at any time after it has expired. Never blocks.
   *
   * @returns The value, and whether it has expired; undefined when there is none.
   * @throws The errors of `get`.
   */
  getStale(key: K | string): { value: V; stale: boolean } | undefined {
    const { placed, key: hashed, reader, codec, found } = this.#parts;
    placed.checkOpen();
    hashed.set(key);
    const length = reader.readExpired(hashed);
    if (length === ABSENT) return undefined;
    const stale = reader.hasExpired;
    return { value: codec.decode(found, 0, length), stale };
  }

  /**
   * Looks for a key. Never blocks; the answer is stale the moment it is returned.
   * @returns Whether the key is there, and its entry valid. @throws The errors of `get`.
   */
  has(key: K | string): boolean {
    const { placed, key: hashed, reader } = this.#parts;
    placed.checkOpen();
    hashed.set(key);
    return reader.read(hashed, false) !== ABSENT;
  }

  /**
   * Asks how long an entry is valid still. Never blocks.
   *
   * @returns Milliseconds above 0; Infinity when it does not expire; undefined when the key is
   *   absent or its entry has expired.
   * @throws The errors of `get`.
   */
  ttl(key: K | string): number | undefined {
    const { placed, key: hashed, reader, memory } = this.#parts;
    placed.checkOpen();
    hashed.set(key);
    if (reader.read(hashed) === ABSENT) return undefined;
    if (reader.expiry === 0) return Number.POSITIVE_INFINITY;
    const left = reader.expiry - memory.clock.nowMs();
    return left > 0 ? left : undefined;
  }

  /**
   * Asks how long the list under a key is; see `pushLeft`. Never blocks; stale at once.
   * @returns Its number of values; 0 when there is no list. @throws The errors of `get`.
   */
  listLength(key: K | string): number {
    const { placed, key: hashed, reader, found } = this.#parts;
    placed.checkOpen();
    hashed.set(key);
    return reader.read(hashed, true, LIST_ENTRY) === ABSENT ? 0 : lengthIn(found);
  }

  /**
   * The number of entries, including expired ones whose memory was not reclaimed yet. Never blocks;
   * stale the moment it is returned. @throws ClosedError.
   */
  get size(): number {
    this.#parts.placed.checkOpen();
    return mapSize(this.#parts.memory);
  }

  /**
   * Counts what the map holds and has done. Never blocks.
   * @returns Numbers that are right one by one, and stale the moment they are returned.
   * @throws ClosedError.
   */
  stats(): SharedMapStats {
    this.#parts.placed.checkOpen();
    return mapStats(this.#parts.memory);
  }

  /**
   * Yields keys and values, in no order. Never blocks: an entry that is there all the time is seen
   * once; one that comes or goes meanwhile may be seen or not. Each value is whole.
   * @throws ClosedError, also when the map is closed during the loop; LayoutError; the codec's
   *   error.
   */
  entries(options?: SharedMapKeysOptions<K>): Generator<[K, V], void, void> {
    return this.#entries.walk((at) => [at.key(), at.value()], options);
  }

  /** Yields the same as `entries`. */
  [Symbol.iterator](): Generator<[K, V], void, void> {
    return this.entries();
  }

  /**
   * Yields the keys that `entries` yields; values are not decoded.
   * @throws The errors of `entries`.
   */
  keys(options?: SharedMapKeysOptions<K>): Generator<K, void, void> {
    return this.#entries.walk((at) => at.key(), options);
  }

  /** Yields the values that `entries` yields. @throws The errors of `entries`. */
  values(): Generator<V, void, void> {
    return this.#entries.walk((at) => at.value(), undefined);
  }
}
