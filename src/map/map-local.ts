/** Values that a handle has decoded, and gives out again while their entries are unchanged. */
import type { MapParts } from "./map-parts.ts";
import type { SharedMapLocalOptions } from "./map-options.ts";
import { ABSENT } from "./algorithm/map-reader.ts";

interface Kept<V> {
  readonly value: V;
  /** Where the entry is; see MapReader. */
  readonly slot: number;
  readonly reference: number;
  readonly first: number;
  readonly sequence: number;
  /** Until when it is kept, as `performance.now` counts. */
  readonly untilMs: number;
}

/**
 * The first level of one handle. It holds two generations: what is read comes into the young one;
 * when that has half of all, it becomes the old one, and what was not read since then is dropped.
 * Source: D. Tarr, https://github.com/dominictarr/hashlru.
 */
export class MapLocal<V> {
  readonly #parts: MapParts<V>;
  readonly #half: number;
  readonly #ttlMs: number;
  #young = new Map<string, Kept<V>>();
  #old = new Map<string, Kept<V>>();

  constructor(parts: MapParts<V>, { entries, ttlMs }: SharedMapLocalOptions) {
    this.#parts = parts;
    this.#half = Math.max(1, entries >> 1);
    this.#ttlMs = ttlMs ?? Number.POSITIVE_INFINITY;
  }

  /** @returns The value of a key; undefined without a valid entry. @throws The errors of `get`. */
  get(key: string): V | undefined {
    const young = this.#young.get(key);
    const kept = young ?? this.#old.get(key);
    if (kept === undefined || !this.#isCurrent(kept)) return this.#read(key);
    if (young === undefined) this.#keep(key, kept);
    return kept.value;
  }

  #isCurrent({ slot, reference, first, sequence, untilMs }: Kept<V>): boolean {
    if (!this.#parts.reader.isCurrent(slot, reference, first, sequence)) return false;
    return untilMs === Number.POSITIVE_INFINITY || performance.now() < untilMs;
  }

  #read(name: string): V | undefined {
    const { reader, codec, key, found } = this.#parts;
    key.set(name);
    const length = reader.read(key);
    if (length === ABSENT) {
      this.#young.delete(name);
      this.#old.delete(name);
      return undefined;
    }
    // The codec may read something else.
    const { slot, reference, first, sequence } = reader;
    const value = codec.decode(found, 0, length);
    const untilMs = this.#ttlMs + performance.now();
    this.#keep(name, { value, slot, reference, first, sequence, untilMs });
    return value;
  }

  #keep(key: string, kept: Kept<V>): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, kept);
  }

  /** Forgets everything. */
  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
