import type { Codec } from "../struct/codec.ts";
import { ClosedError } from "../errors.ts";
import { MAX_TYPE } from "../layout/record-descriptor.ts";
import * as layout from "../layout/ring-layout.ts";
import type { RingKind, RingPlace, Role } from "./ring-kinds.ts";
import type { RingProducerCore } from "./algorithm/core.ts";
import { countersOf } from "./algorithm/views.ts";
import type { AsyncWaitOptions } from "../waiting/wait-options.ts";
import { WaitPoint, type WaitStrategy } from "../waiting/wait-point.ts";

/** How a producer works. */
export interface RingProducerOptions {
  /**
   * Publish after so many records (or at `flush`, at a full ring, before any wait, and at close).
   * Larger is faster and later. An MPSC ring publishes each record. Default 1.
   */
  batch?: number;
  /** How blocking writes wait for room. Default "adaptive". */
  strategy?: WaitStrategy;
}

/** How one record is written. */
export interface RingWriteOptions {
  /** The record's type, for the reader: an integer from 0 to 2^31 - 1. Default 0. */
  type?: number;
  /** Milliseconds to block while the ring is full; undefined and 0 do not block. */
  timeoutMs?: number;
}

/** How one record is written in the event loop. */
export interface RingWriteAsyncOptions extends AsyncWaitOptions {
  /** As of `RingWriteOptions`. */
  readonly type?: number;
}

/** Bytes up to which a loop copies faster than a call. */
const SHORT = 24;

/** What a ring without a codec takes. */
export type RingInput = Uint8Array | DataView | string;

/**
 * The writing side of a ring: the only one in the world, or one of many (`mpsc`).
 *
 * For one thread. Nothing here blocks but `write` and `claim` with a `timeoutMs`. What a crash
 * leaves is told at `RingBuffer`.
 */
export class RingProducer<T = Uint8Array> {
  /** The ring's data: where a claim's bytes are written. One view for the producer's whole life. */
  readonly view: DataView;
  /** The longest record, in bytes. */
  readonly maxRecordLength: number;
  readonly #what: string;
  readonly #role: Role<RingProducerCore>;
  readonly #core: RingProducerCore;
  readonly #bytes: Uint8Array;
  readonly #buffer: Buffer;
  readonly #codec: Codec<T> | undefined;
  readonly #room: WaitPoint;
  readonly #strategy: WaitStrategy;
  readonly #counters: Float64Array;
  /** Payload bytes of the open claim; -1 without one. */
  #open = -1;
  /** `maxRecordLength`; -1 once closed, so that the hot path needs one check for both. */
  #claimable: number;
  #closed = false;

  /** Made by `RingBuffer.producer`. @internal */
  constructor(
    kind: RingKind,
    place: RingPlace,
    codec: Codec<T> | undefined,
    { batch = 1, strategy = "adaptive" }: RingProducerOptions,
  ) {
    if (!Number.isInteger(batch) || batch < 1) {
      throw new RangeError(`Cannot publish in batches of ${batch}: it must be an integer above 0`);
    }
    this.#what = `the producer of ${place.what}`;
    this.#codec = codec;
    this.#strategy = strategy;
    this.#room = new WaitPoint(place.segment, layout.SPACE_WAIT_POINT);
    this.#counters = countersOf(place.memory);
    const reader = new WaitPoint(place.segment, layout.DATA_WAIT_POINT);
    this.#role = kind.takeProducer(place, reader, batch);
    const core = this.#role.core;
    this.#core = core;
    this.view = core.view;
    this.maxRecordLength = core.maxRecordLength;
    this.#claimable = core.maxRecordLength;
    this.#bytes = core.bytes;
    const { buffer, byteOffset, byteLength } = core.bytes;
    this.#buffer = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
  }

  /**
   * Reserves room for a record, to be written in place.
   *
   * @param length Bytes, from 0 to `maxRecordLength`.
   * @param type As of `RingWriteOptions`.
   * @returns The record's index in `view`; -1 when the ring is full. Ends with `commit` or `abort`.
   * @throws RangeError for a length or type that cannot be; Error while a claim is open;
   * ClosedError.
   */
  tryClaim(length: number, type = 0): number {
    this.#checkClaim(length, type);
    const index = this.#core.tryClaim(length, type);
    if (index >= 0) this.#open = length;
    return index;
  }

  /** Publishes the claim, now or with its batch. @throws Error without a claim. */
  commit(): void {
    if (this.#open < 0) this.#noClaim("commit");
    this.#open = -1;
    this.#core.commit();
  }

  /** Gives the claim up; there is no record. @throws Error without a claim. */
  abort(): void {
    if (this.#open < 0) this.#noClaim("abort");
    this.#open = -1;
    this.#core.abort();
  }

  /**
   * Reserves room in the comfortable form: `using claim = producer.claim(64)` aborts unless
   * committed.
   *
   * @returns undefined when the ring is full, or stayed so for `timeoutMs`.
   * @throws As `tryClaim`.
   */
  claim(length: number, { type = 0, timeoutMs = 0 }: RingWriteOptions = {}): RingClaim | undefined {
    let index = this.tryClaim(length, type);
    if (index < 0 && timeoutMs > 0) index = this.#waitToClaim(length, type, timeoutMs);
    return index < 0
      ? undefined
      : new RingClaim(this, this.#buffer.buffer, this.#at(index), length);
  }

  #at(index: number): number {
    return this.#buffer.byteOffset + index;
  }

  /**
   * Writes one record.
   *
   * @param value With a codec, a value of its type; without, bytes, a view, or text as UTF-8.
   * @param options The record's type as a number, or more.
   * @returns false when the ring is full, or stayed so for `timeoutMs`.
   * @throws RangeError when it is longer than `maxRecordLength`; ClosedError.
   */
  write(value: RingWritable<T>, options: number | RingWriteOptions = 0): boolean {
    // The most common case by a short way: each further look at what came costs a nanosecond.
    if (value instanceof Uint8Array && typeof options === "number" && this.#codec === undefined) {
      const index = this.tryClaim(value.length, options);
      if (index < 0) return false;
      this.#copy(index, value);
      this.#open = -1;
      this.#core.commit();
      return true;
    }
    const input = this.#encode(value);
    const { type = 0, timeoutMs = 0 } = typeof options === "number" ? { type: options } : options;
    const length = lengthOf(input);
    let index = this.tryClaim(length, type);
    if (index < 0 && timeoutMs > 0) index = this.#waitToClaim(length, type, timeoutMs);
    if (index < 0) return false;
    this.#fill(index, input);
    return true;
  }

  /**
   * Writes one record, and waits in the event loop while the ring is full.
   *
   * @returns false when it stayed full for `timeoutMs`.
   * @throws As `write`; the signal's reason; ClosedError when the producer is closed meanwhile.
   */
  async writeAsync(value: RingWritable<T>, options: RingWriteAsyncOptions = {}): Promise<boolean> {
    const { type = 0 } = options;
    const input = this.#encode(value);
    const length = lengthOf(input);
    let index = this.tryClaim(length, type);
    if (index < 0) {
      this.#counters[layout.PRODUCER_WAITS >> 3]!++;
      // Filled in the same turn: another write may come before the promise is seen to be kept.
      const wrote = await this.#room.waitAsync(() => {
        if (this.#closed) return true;
        if (this.#open >= 0) return false;
        index = this.tryClaim(length, type);
        if (index >= 0) this.#fill(index, input);
        return index >= 0;
      }, options);
      if (this.#closed) throw new ClosedError(this.#what);
      return wrote;
    }
    this.#fill(index, input);
    return true;
  }

  #waitToClaim(length: number, type: number, timeoutMs: number): number {
    this.#counters[layout.PRODUCER_WAITS >> 3]!++;
    let index = -1;
    const ready = (): boolean => (index = this.tryClaim(length, type)) >= 0;
    this.#room.wait(ready, { timeoutMs, strategy: this.#strategy });
    return index;
  }

  #encode(value: RingWritable<T>): RingInput {
    return this.#codec === undefined ? (value as RingInput) : this.#codec.encode(value as T);
  }

  #fill(index: number, input: RingInput): void {
    if (input instanceof Uint8Array) this.#copy(index, input);
    else if (typeof input === "string") this.#buffer.write(input, index);
    else this.#copy(index, bytesOf(input));
    this.commit();
  }

  #copy(index: number, bytes: Uint8Array): void {
    const target = this.#bytes;
    // For a few bytes, a call of `set` costs more than the copy.
    if (bytes.length > SHORT) target.set(bytes, index);
    else for (let at = 0; at < bytes.length; at++) target[index + at] = bytes[at]!;
  }

  /** Publishes what is committed and held back by `batch`. */
  flush(): void {
    if (this.#closed) throw new ClosedError(this.#what);
    this.#core.flush();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Aborts an open claim, publishes what is committed, and gives the role back. */
  close(): void {
    if (this.#closed) return;
    if (!this.#isGone()) {
      if (this.#open >= 0) this.abort();
      this.#core.flush();
    }
    this.#closed = true;
    this.#claimable = -1;
    this.#room.endWaits();
    this.#role.lock?.close();
  }

  /** Whether the segment was closed under the producer. */
  #isGone(): boolean {
    return this.#core.bytes.length === 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #checkClaim(length: number, type: number): void {
    if (
      this.#open >= 0 ||
      (length | 0) !== length ||
      length < 0 ||
      length > this.#claimable ||
      (type | 0) !== type ||
      type < 0
    ) {
      this.#refuse(length, type);
    }
  }

  #refuse(length: number, type: number): never {
    if (this.#closed || this.#isGone()) throw new ClosedError(this.#what);
    if (this.#open >= 0) {
      throw new Error(`Cannot claim from ${this.#what}: the last claim has not ended yet`);
    }
    if ((type | 0) !== type || type < 0) {
      throw new RangeError(
        `Cannot write a record of type ${String(type)}: it must be an integer from 0 to ` +
          String(MAX_TYPE),
      );
    }
    throw new RangeError(
      `Cannot write a record of ${String(length)} bytes: in a ring of ${this.#buffer.length} it ` +
        `must be an integer from 0 to ${this.maxRecordLength}`,
    );
  }

  #noClaim(verb: string): never {
    if (this.#closed) throw new ClosedError(this.#what);
    throw new Error(`Cannot ${verb} with ${this.#what}: nothing is claimed`);
  }
}

/** What `write` takes: the codec's type, or without a codec also text and views. */
export type RingWritable<T> = [T] extends [Uint8Array] ? RingInput : T;

/** A claim that aborts when disposed, unless it was committed. */
export class RingClaim {
  /** The record's bytes. They are the ring's: do not use them after the end of the claim. */
  readonly bytes: Uint8Array;
  readonly #producer: { commit(): void; abort(): void };
  #ended = false;

  /** Made by `RingProducer.claim`. @internal */
  constructor(
    producer: { commit(): void; abort(): void },
    buffer: ArrayBufferLike,
    byteOffset: number,
    length: number,
  ) {
    this.#producer = producer;
    this.bytes = new Uint8Array(buffer, byteOffset, length);
  }

  /** The record's bytes. */
  get view(): DataView {
    const { buffer, byteOffset, byteLength } = this.bytes;
    return new DataView(buffer, byteOffset, byteLength);
  }

  /** Publishes the record. @throws Error when the claim has ended. */
  commit(): void {
    if (this.#ended) throw new Error("Cannot commit a claim twice, or after it was aborted");
    this.#ended = true;
    this.#producer.commit();
  }

  /** Gives the claim up; after its end, nothing happens. */
  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#producer.abort();
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}

function lengthOf(input: RingInput): number {
  if (input instanceof Uint8Array) return input.length;
  if (typeof input === "string") return Buffer.byteLength(input);
  if (ArrayBuffer.isView(input)) return input.byteLength;
  throw new TypeError(
    `Cannot write ${String(input)}: without a codec a record is a Uint8Array, a DataView or ` +
      "a string",
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
