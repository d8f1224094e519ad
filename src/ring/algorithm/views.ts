/** The memory of one ring, as the views that its algorithms work on, and what is wrong with it. */
import { LayoutError } from "../../errors.ts";

/** The bytes of one ring: the control words, and the data that they are about. */
export interface RingMemory {
  readonly buffer: ArrayBufferLike;
  /** Where the ring starts in the buffer, in bytes; a multiple of 128. */
  readonly byteOffset: number;
  /** From the start of the ring to the data, in bytes. */
  readonly dataOffset: number;
  /** Bytes of data: a power of two. */
  readonly capacity: number;
  /** For messages, as in `ring "/x"`. */
  readonly what: string;
}

/** The same bytes, in each form in which they are read and written. */
export interface RingViews {
  /** All that comes before the data. */
  readonly control: Int32Array;
  /** The control words as doubles: the counters. Reports, and no basis for decisions. */
  readonly counters: Float64Array;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export function viewsOf(memory: RingMemory): RingViews {
  const { buffer, byteOffset, dataOffset, capacity } = memory;
  const start = byteOffset + dataOffset;
  return {
    control: new Int32Array(buffer, byteOffset, dataOffset >> 2),
    counters: countersOf(memory),
    words: new Int32Array(buffer, start, capacity >> 2),
    bytes: new Uint8Array(buffer, start, capacity),
    view: new DataView(buffer, start, capacity),
  };
}

/** The counters of a ring, by their offset in the ring divided by 8. */
export function countersOf({ buffer, byteOffset, dataOffset }: RingMemory): Float64Array {
  return new Float64Array(buffer, byteOffset, dataOffset >> 3);
}

/** What was found, what should be there, and where. */
export interface Damage {
  readonly expected: string;
  readonly found: number | string;
  /** Bytes from the start of the ring. */
  readonly offset: number;
}

/** The error of whoever meets bytes that no ring has. */
export function corrupt(memory: RingMemory, why: string, damage: Damage): LayoutError {
  return new LayoutError(`Cannot use ${memory.what}: it is corrupt, ${why}`, {
    expected: damage.expected,
    found: String(damage.found),
    offset: memory.byteOffset + damage.offset,
  });
}

/**
 * The error of whoever meets a record that cannot be.
 *
 * @param index Of the record, in bytes from the start of the data.
 */
export function corruptRecord(
  memory: RingMemory,
  index: number,
  found: number,
  expected = "a length that ends within the ring",
): LayoutError {
  const offset = memory.dataOffset + index;
  return corrupt(memory, "there is no record", { expected, found, offset });
}
