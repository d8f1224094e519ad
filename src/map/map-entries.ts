/** Walks over a map's entries without a lock. */
import type { Placed } from "../segment/placed.ts";
import type { ScratchCodec } from "../struct/scratch-codec.ts";
import type { Scratch } from "../struct/scratch.ts";
import type { MapMemory } from "./algorithm/map-memory.ts";
import { ABSENT, type MapReader } from "./algorithm/map-reader.ts";
import { slotsOf } from "./algorithm/map-stats.ts";
import type { SharedMapKey } from "./map-options.ts";

/** The entries of a map, for one of its handles. */
export class MapEntries<V, K extends SharedMapKey> {
  readonly #placed: Placed;
  readonly #memory: MapMemory;
  readonly #reader: MapReader;
  readonly #found: Scratch;
  readonly #codec: ScratchCodec<V>;
  readonly #bytesKeys: boolean;
  /** Bytes of the current entry's value. */
  #length = 0;

  /** @param found The scratch that `reader` copies to. */
  constructor(
    { placed, memory }: { readonly placed: Placed; readonly memory: MapMemory },
    { reader, found }: { readonly reader: MapReader; readonly found: Scratch },
    { codec, bytesKeys }: { readonly codec: ScratchCodec<V>; readonly bytesKeys: boolean },
  ) {
    this.#placed = placed;
    this.#memory = memory;
    this.#reader = reader;
    this.#found = found;
    this.#codec = codec;
    this.#bytesKeys = bytesKeys;
  }

  /** @returns The current entry's key. */
  key(): K {
    const { keyLength } = this.#reader;
    const key = this.#bytesKeys
      ? this.#found.bytes.slice(0, keyLength)
      : this.#found.node.toString("utf8", 0, keyLength);
    return key as K;
  }

  /** @returns The current entry's value. */
  value(): V {
    return this.#codec.decode(this.#found, (this.#reader.keyLength + 3) & ~3, this.#length);
  }

  /** Yields what `make` returns for each entry. @throws ClosedError. */
  *walk<T>(make: (at: this) => T): Generator<T, void, void> {
    for (const [stripe, slot] of slotsOf(this.#memory)) {
      // The body of the caller's loop may have closed the map.
      this.#placed.checkOpen();
      this.#length = this.#reader.readSlot(stripe, slot);
      if (this.#length !== ABSENT) yield make(this);
    }
  }
}
