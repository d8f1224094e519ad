/** Keyv over a SharedMap: `bun-shm/keyv`. */
import type { SharedMap } from "../src/index.ts";
import { checkMap, removeAll } from "./checks.ts";

/** An entry as Keyv stores several. */
export interface KeyvSharedMapEntry<V> {
  readonly key: string;
  readonly value: V;
  /** Milliseconds after which the entry expires. Default: never. */
  readonly ttl?: number | undefined;
}

/**
 * A storage adapter for Keyv 5 and 6, whose entries all processes share that open the same map.
 *
 * Keyv makes texts of values, unless `serialize` and `deserialize` are undefined (in Keyv 6,
 * `serialization: false`): so the map has `codecs.utf8`, or `codecs.clone()` to keep what JSON
 * cannot, such as a Map or a Date. Keys are those of Keyv, which begin with its namespace, and have
 * at most 1024 bytes. An entry that a full map refuses makes Keyv's `set` answer false; with
 * `whenFull: "evict"` entries that were not read lately go instead.
 *
 * The map stays the caller's: Keyv's `disconnect` leaves it open. Keyv keeps its namespace in the
 * adapter, so each Keyv needs an adapter of its own; any number of them may have the same map.
 *
 * @example
 * ```ts
 * import { Keyv } from "keyv";
 * import { SharedMap, codecs } from "bun-shm";
 * import { KeyvSharedMap } from "bun-shm/keyv";
 *
 * using map = SharedMap.openOrCreate("/cache", { size: 2 ** 24, codec: codecs.utf8 });
 * const users = new Keyv({ store: new KeyvSharedMap(map), namespace: "users" });
 * await users.set("ada", { born: 1815 }, 60_000);
 * console.log(await users.get("ada")); // { born: 1815 }, in each process
 * map.unlink();
 * ```
 */
export class KeyvSharedMap<V = string> {
  /**
   * Keyv 5 iterates only over the dialects that it lists, and looks at nothing else for it. This
   * one says no more than that `iterator` works.
   */
  readonly opts: { readonly dialect: string } = { dialect: "redis" };
  /** Set by Keyv 5. Absent before that: Keyv 6 then puts the namespace into the keys by itself. */
  declare namespace?: string | undefined;
  readonly #map: SharedMap<V>;

  /** @param map Where the entries are. @throws TypeError when it is no SharedMap. */
  constructor(map: SharedMap<V>) {
    checkMap("Cannot make a store for Keyv", map);
    this.#map = map;
  }

  /** @returns A promise of the value; undefined when the key is absent, or expired. */
  async get<Value = V>(key: string): Promise<Value | undefined> {
    return this.#map.get(key) as Value | undefined;
  }

  /** @returns A promise of the values, in the order of the keys. */
  async getMany<Value = V>(keys: string[]): Promise<(Value | undefined)[]> {
    return this.#map.getMany(keys) as (Value | undefined)[];
  }

  /**
   * Stores a value.
   * @param ttl Milliseconds; 0 and undefined: it does not expire. Below 0 it is removed.
   * @returns A promise of whether it is stored; false: the map is full and refuses.
   */
  async set(key: string, value: V, ttl?: number): Promise<boolean> {
    return this.#set(key, value, ttl);
  }

  #set(key: string, value: V, ttl: number | undefined): boolean {
    if (ttl === undefined || ttl === 0) return this.#map.set(key, value);
    if (!(ttl < 0)) return this.#map.set(key, value, { ttlMs: ttl });
    this.#map.delete(key);
    return true;
  }

  /** @returns A promise that says of each entry whether it is stored. */
  async setMany(entries: KeyvSharedMapEntry<V>[]): Promise<boolean[]> {
    return entries.map(({ key, value, ttl }) => this.#set(key, value, ttl));
  }

  /** @returns A promise of whether the key was there. */
  async delete(key: string): Promise<boolean> {
    return this.#map.delete(key);
  }

  /** @returns A promise of whether all the keys were there. */
  async deleteMany(keys: string[]): Promise<boolean> {
    return keys.map((key) => this.#map.delete(key)).every(Boolean);
  }

  /** @returns A promise of whether the key is there. */
  async has(key: string): Promise<boolean> {
    return this.#map.has(key);
  }

  /** @returns A promise that says of each key whether it is there. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return keys.map((key) => this.#map.has(key));
  }

  /** Removes the entries of the namespace; without one, all of the map. */
  async clear(): Promise<void> {
    removeAll(this.#map, this.namespace === undefined ? "" : `${this.namespace}:`);
  }

  /** Yields keys and values, of one namespace or of all, in no order. */
  async *iterator(namespace?: string): AsyncGenerator<[string, V], void, void> {
    yield* this.#map.entries(namespace === undefined ? {} : { prefix: `${namespace}:` });
  }
}
