/**
 * What every ring algorithm offers to the producer or consumer that wraps it.
 *
 * An algorithm works over bytes: it knows no names, no descriptors and no way to sleep. It receives
 * an object to wake the other side by, and calls it at the instants when a wake is due.
 */
import { isThenable } from "../../arguments.ts";
import type { FixedBytes } from "../../memory/fixed-bytes.ts";

/** The other side of a ring, which may be asleep. A wait point is one. */
export interface Wakeable {
  /** Wakes it, after a publish or a release that `store` made; cheap when nobody sleeps. */
  wake(): void;
  /** Whether it is asleep; stale the moment it returns. One load. */
  readonly hasWaiters: boolean;
}

/** For rings whose sides never sleep. */
export const NOBODY: Wakeable = { wake(): void {}, hasWaiters: false };

/** A consumer gives room back at least this often while it reads one lap of the ring. */
export const RELEASES_PER_LAP = 8;

/**
 * Receives one record in place: `length` bytes of `view` from `index`, and the type that its
 * producer gave it. The bytes are valid only until the handler returns, so it must be synchronous.
 */
export type RecordHandler = (view: DataView, index: number, length: number, type: number) => void;

/**
 * Refuses the result of a handler if it is a promise. The call costs a nanosecond, so it is made
 * only for handlers that return something.
 * @throws TypeError.
 */
export function checkHandled(result: unknown): void {
  if (isThenable(result)) refusePromise();
}

/** @throws TypeError, always: the handler is asynchronous. */
export function refusePromise(): never {
  throw new TypeError(
    "Cannot read with a handler that returns a promise: the record's bytes are the ring's, and " +
      "valid only until the handler returns. Use a synchronous handler, or takeAsync() for a value",
  );
}

/** The writing side of a ring. One thread uses it. */
export interface RingProducerCore {
  /** The ring's data, for the bytes of a claim. */
  readonly view: DataView;
  /** The same bytes. */
  readonly bytes: Uint8Array;
  /** The same bytes, to be copied to. */
  readonly data: FixedBytes;
  /** The longest payload, in bytes. */
  readonly maxRecordLength: number;
  /** Woken after every publish. */
  readonly reader: Wakeable;
  /**
   * Reserves room for one record. Ends with `commit` or `abort`, before the next claim.
   *
   * @param length Bytes of payload, from 0 to `maxRecordLength`; checked by the caller.
   * @param type From 0 to 2^31 - 1; checked by the caller.
   * @returns The index of the payload in `view`; -1 when there is no room.
   */
  tryClaim(length: number, type: number): number;
  /**
   * Claims, copies and commits in one call.
   *
   * @param source Its first `length` bytes are the payload.
   * @param length See `tryClaim`. @param type See `tryClaim`.
   * @returns Whether there was room.
   */
  tryWrite(source: ArrayBufferView, length: number, type: number): boolean;
  /** Ends the claim: the record is published now, or with its batch. */
  commit(): void;
  /** Ends the claim: there is no record. */
  abort(): void;
  /** Publishes what is committed. */
  flush(): void;
}

/** `tryWrite` as a claim, a copy and a commit. */
export function writeByClaim(
  core: RingProducerCore,
  source: ArrayBufferView,
  length: number,
  type: number,
): boolean {
  const index = core.tryClaim(length, type);
  if (index < 0) return false;
  core.data.put(index, source, length);
  core.commit();
  return true;
}

/** The reading side of a ring. One thread uses it. */
export interface RingConsumerCore {
  /** What a handler receives: the ring's data, or a private copy of a part of it. */
  readonly view: DataView;
  /** Woken after every release. */
  readonly writer: Wakeable;
  /**
   * Hands the records that are there to the handler, and gives their room back.
   *
   * When the handler throws, or returns a promise, its record counts as read and is released, and
   * the caller gets the error. When the handler calls `end`, or the memory is unmapped while it
   * runs, its record is the last one. It must not call `read`.
   *
   * @param limit The most records; from 1.
   * @returns The number of records that were handled.
   * @throws LayoutError when the bytes are no records.
   */
  read(handler: RecordHandler, limit: number): number;
  /** Skips the claims of dead producers now; only where a claim can be in the way. */
  skipDead?(): void;
  /** Whether a record is there. Never throws: `read` reports what is wrong. */
  hasRecord(): boolean;
  /**
   * Ends its work, and gives back what it still holds of the ring. Inside a handler it ends that
   * read too: the record in hand counts as read, and no further one is handed over.
   */
  end(): void;
  /** The number of records overwritten before they were read; only where that can happen. */
  readonly lost?: number;
}
