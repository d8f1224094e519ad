/** A walk over a map's entries, without a lock. */
import type { Placed } from "../segment/placed.ts";
import type { ScratchCodec } from "../struct/scratch-codec.ts";
import type { Scratch } from "../struct/scratch.ts";
import type { MapMemory } from "./algorithm/map-memory.ts";
import { ABSENT, type MapReader } from "./algorithm/map-reader.ts";
import { slotsOf } from "./algorithm/map-stats.ts";
import type { SharedMapKey } from "./map-options.ts";

/** The entries of one handle's map. */
export class MapEntries<V, K extends SharedMapKey> {
  readonly #placed: Placed;
  readonly #memory: MapMemory;
  readonly #reader: MapReader;
  readonly #found: Scratch;
  readonly #codec: ScratchCodec<V>;
  readonly #bytesKeys: boolean;
  /** Bytes of the value at which the walk is. */
  #length = 0;

  /** @param found Where `reader` copies to. */
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

  /** The key at which the walk is. */
  key(): K {
    const { keyLength } = this.#reader;
    const key = this.#bytesKeys
      ? this.#found.bytes.slice(0, keyLength)
      : this.#found.node.toString("utf8", 0, keyLength);
    return key as K;
  }

  /** The value at which the walk is. */
  value(): V {
    return this.#codec.decode(this.#found, (this.#reader.keyLength + 3) & ~3, this.#length);
  }

  /** Gives what `make` makes of each entry. */
  *walk<T>(make: (at: this) => T): Generator<T, void, void> {
    for (const [stripe, slot] of slotsOf(this.#memory)) {
      // Whoever runs the loop may have closed the map.
      this.#placed.checkOpen();
      this.#length = this.#reader.readSlot(stripe, slot);
      if (this.#length !== ABSENT) yield make(this);
    }
  }
}
