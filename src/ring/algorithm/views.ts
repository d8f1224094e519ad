/** The memory of one ring as typed arrays, and the errors for bytes that make no ring. */
import { LayoutError } from "../../errors.ts";
import { FixedBytes } from "../../memory/fixed-bytes.ts";

/** The bytes of one ring: control words, and then data. */
export interface RingMemory {
  readonly buffer: ArrayBufferLike;
  /** Where the ring starts in the buffer, in bytes; a multiple of 128. */
  readonly byteOffset: number;
  /** From the start of the ring to the data, in bytes. */
  readonly dataOffset: number;
  /** Bytes of data: a power of two. */
  readonly capacity: number;
  /** What it is, for messages: `ring "/x"`. */
  readonly what: string;
}

/** The same bytes in each form in which the algorithms read and write them. */
export interface RingViews {
  /** Everything before the data. */
  readonly control: Int32Array;
  /** Everything before the data, as doubles: the counters. No decision is based on them. */
  readonly counters: Float64Array;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly data: FixedBytes;
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
    data: new FixedBytes(buffer, start, capacity),
    view: new DataView(buffer, start, capacity),
  };
}

/** @returns The counters of a ring; the index of one is its offset in the ring divided by 8. */
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

/** @returns The error for bytes that no ring has. */
export function corrupt(memory: RingMemory, why: string, damage: Damage): LayoutError {
  return new LayoutError(`Cannot use ${memory.what}: it is corrupt, ${why}`, {
    expected: damage.expected,
    found: String(damage.found),
    offset: memory.byteOffset + damage.offset,
  });
}

/**
 * @param index The record's, in bytes from the start of the data.
 * @returns The error for a record that cannot be.
 */
export function corruptRecord(
  memory: RingMemory,
  index: number,
  found: number,
  expected = "a length that ends within the ring",
): LayoutError {
  const offset = memory.dataOffset + index;
  return corrupt(memory, "a record is wrong", { expected, found, offset });
}
