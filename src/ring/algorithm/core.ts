/**
 * What every ring algorithm offers to the noun that wraps it, whichever kind it is.
 *
 * An algorithm works over bytes: it knows no names, no descriptors and no way to sleep. It is given
 * somebody to wake on each side, and wakes them at the instants when that is due.
 */
import { isThenable } from "../../arguments.ts";

/** Somebody who may be asleep. A wait point is one. */
export interface Wakeable {
  /** Called after every publish or release; cheap when nobody sleeps. */
  wake(): void;
  /** Whether somebody is asleep; stale the moment it returns. One atomic load. */
  readonly hasWaiters: boolean;
}

/** For rings whose sides never sleep. */
export const NOBODY: Wakeable = { wake(): void {}, hasWaiters: false };

/** Within one read, a consumer gives room back at least at each n-th of the ring. */
export const RELEASES_PER_LAP = 8;

/**
 * Receives one record in place: `length` bytes of `view` from `index`. The bytes are the ring's:
 * they are valid until the handler returns, so it is synchronous.
 */
export type RecordHandler = (view: DataView, index: number, length: number, type: number) => void;

/**
 * Refuses what a handler returned if that is a promise. A call costs a nanosecond here: it is for
 * handlers that return something.
 * @throws TypeError.
 */
export function checkHandled(result: unknown): void {
  if (isThenable(result)) refusePromise();
}

export function refusePromise(): never {
  throw new TypeError(
    "Cannot read with a handler that returns a promise: the record's bytes are the ring's, and " +
      "valid only until the handler returns. Use a synchronous handler, or take() for a value",
  );
}

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
  /** What a handler receives: the ring's data, or a private copy of a part of it. */
  readonly view: DataView;
  /** Releases wake whoever is here. */
  readonly writer: Wakeable;
  /**
   * Hands the records that are there to the handler, and gives their room back.
   *
   * A handler that throws, or returns a promise, has read its record: it counts and is released,
   * and the error goes on to the caller.
   *
   * @param limit Most records; from 1.
   * @returns How many were handled.
   * @throws LayoutError when the bytes are no records.
   */
  read(handler: RecordHandler, limit: number): number;
  /** Whether a record is there. It never throws: what is wrong is said by `read`. */
  hasRecord(): boolean;
  /** The end of its work: gives back what the algorithm still holds of the ring. */
  giveBack?(): void;
  /** Records that were overwritten before they were read; only where that can happen. */
  readonly lost?: number;
}
