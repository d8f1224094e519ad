/** Walks over a map's entries without a lock. */
import { checkOptions } from "../arguments.ts";
import { ABSENT } from "./algorithm/map-reader.ts";
import { slotsOf } from "./algorithm/map-stats.ts";
import { bytesOf } from "./map-key-bytes.ts";
import type { SharedMapKey } from "./map-options.ts";
import type { MapParts } from "./map-parts.ts";

/** Which entries are yielded. */
export interface SharedMapKeysOptions<K extends SharedMapKey = string> {
  /** Only those whose key begins with this. */
  readonly prefix?: K | string | undefined;
}

/** The entries of a map, for one of its handles. */
export class MapEntries<V, K extends SharedMapKey> {
  readonly #parts: MapParts<V>;
  /** Bytes of the current entry's value. */
  #length = 0;

  constructor(parts: MapParts<V>) {
    this.#parts = parts;
  }

  /** @returns The current entry's key. */
  key(): K {
    const { reader, found, bytesKeys } = this.#parts;
    const { keyLength } = reader;
    const key = bytesKeys
      ? found.bytes.slice(0, keyLength)
      : found.node.toString("utf8", 0, keyLength);
    return key as K;
  }

  /** @returns The current entry's value. */
  value(): V {
    const { reader, found, codec } = this.#parts;
    return codec.decode(found, (reader.keyLength + 3) & ~3, this.#length);
  }

  /** @returns A generator of what `make` returns for each entry. @throws ClosedError, TypeError. */
  walk<T>(
    make: (at: this) => T,
    options: SharedMapKeysOptions<K> | undefined,
  ): Generator<T, void, void> {
    const { placed } = this.#parts;
    placed.checkOpen();
    const action = `Cannot list the keys of ${placed.what}`;
    checkOptions(action, options, ["prefix"]);
    const prefix = options?.prefix;
    return this.#walk(
      make,
      prefix === undefined ? undefined : bytesOf(action, "its prefix", prefix),
    );
  }

  *#walk<T>(make: (at: this) => T, prefix: Buffer | undefined): Generator<T, void, void> {
    const { placed, memory, reader } = this.#parts;
    for (const [stripe, slot] of slotsOf(memory)) {
      // The body of the caller's loop may have closed the map.
      placed.checkOpen();
      this.#length = reader.readSlot(stripe, slot);
      if (this.#length === ABSENT) continue;
      if (prefix === undefined || this.#begins(prefix)) yield make(this);
    }
  }

  /** Whether the current entry's key begins with these bytes. */
  #begins(prefix: Buffer): boolean {
    const { reader, found } = this.#parts;
    const { length } = prefix;
    if (reader.keyLength < length) return false;
    return prefix.compare(found.bytes, 0, length, 0, length) === 0;
  }
}
