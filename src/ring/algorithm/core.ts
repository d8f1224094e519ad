/**
 * What every ring algorithm offers to the noun that wraps it, whichever kind it is.
 *
 * An algorithm works over bytes: it knows no names, no descriptors and no way to sleep. It is given
 * somebody to wake on each side, and tells them at the instants when that is due.
 */

/** Somebody who may be asleep. A wait point is one. */
export interface Wakeable {
  /** Called after every publish or release; cheap when nobody sleeps. */
  wake(): void;
  /** Whether somebody is asleep; stale the moment it returns. One atomic load. */
  readonly hasWaiters: boolean;
}

/** For rings whose sides never sleep. */
export const NOBODY: Wakeable = { wake(): void {}, hasWaiters: false };

/** The bytes of one ring: the control words, and the data that they are about. */
export interface RingMemory {
  readonly buffer: ArrayBufferLike;
  /** Where the segment starts in the buffer, in bytes; a multiple of 128. */
  readonly byteOffset: number;
  /** From the start of the segment to the data, in bytes. */
  readonly dataOffset: number;
  /** Bytes of data: a power of two. */
  readonly capacity: number;
}

/** The control words of a ring as doubles: its counters. Reports, and no basis for decisions. */
export function countersOf({ buffer, byteOffset, dataOffset }: RingMemory): Float64Array {
  return new Float64Array(buffer, byteOffset, dataOffset >> 3);
}

/**
 * Receives one record in place: `length` bytes of `view` from `index`. The bytes are the ring's:
 * they are valid until the handler returns.
 */
export type RecordHandler = (view: DataView, index: number, length: number, type: number) => void;

/** The writing side of a ring. One thread uses it. */
export interface RingProducerCore {
  /** The ring's data, for the bytes of a claim. */
  readonly view: DataView;
  /** The same bytes. */
  readonly bytes: Uint8Array;
  /** The longest payload, in bytes. */
  readonly maxRecordLength: number;
  /** Publishes wake whoever is here. */
  readonly reader: Wakeable;
  /**
   * Reserves room for one record. Ends with `commit` or `abort`, before the next claim.
   *
   * @param length Bytes of payload, from 0 to `maxRecordLength`; checked by the caller.
   * @param type From 0 to 2^31 - 1; checked by the caller.
   * @returns The index of the payload in `view`; -1 when there is no room.
   */
  tryClaim(length: number, type: number): number;
  /** Ends the claim: the record is published now, or with its batch. */
  commit(): void;
  /** Ends the claim: there is no record. */
  abort(): void;
  /** Publishes what is committed. */
  flush(): void;
}

/** The reading side of a ring. One thread uses it. */
export interface RingConsumerCore {
  /** The ring's data. */
  readonly view: DataView;
  /** Releases wake whoever is here. */
  readonly writer: Wakeable;
  /**
   * Hands the records that are there to the handler, and gives their room back.
   *
   * A handler that throws has read its record: it counts and is released, and the error goes on to
   * the caller.
   *
   * @param limit Most records; from 1.
   * @returns How many were handled.
   * @throws LayoutError when the bytes are no records.
   */
  read(handler: RecordHandler, limit: number): number;
  /** The next record as a copy of its own, or undefined. @throws LayoutError. */
  take(): Uint8Array<ArrayBuffer> | undefined;
  /** The type of the last record that `take` returned. */
  readonly takenType: number;
  /** Whether a record is there. @throws nothing: what is wrong is said by `read`. */
  hasRecord(): boolean;
  /** The end of its work: gives back what the algorithm still holds of the ring. */
  giveBack?(): void;
  /** Records that were overwritten before they were read; only where that can happen. */
  readonly lost?: number;
}
