import { checkBytes, checkInteger, checkOneOf, checkOptions, shown } from "../arguments.ts";
import { ClosedError, StateError } from "../errors.ts";
import { MAX_TYPE } from "../layout/record-descriptor.ts";
import * as layout from "../layout/ring-layout.ts";
import type { Codec } from "../struct/codec.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
} from "../waiting/wait-options.ts";
import { WAIT_STRATEGIES, WaitPoint, type WaitStrategy } from "../waiting/wait-point.ts";
import type { RingProducerCore } from "./algorithm/core.ts";
import { countersOf } from "./algorithm/views.ts";
import { OptionChecks } from "./option-checks.ts";
import { RingClaim } from "./ring-claim.ts";
import type { RingKind, RingPlace, Role } from "./ring-kinds.ts";
import { isPlain } from "./ring-options.ts";

/** How a producer works. */
export interface RingProducerOptions {
  /**
   * Publish after so many records (or at `flush`, at a full ring, before any wait, and at close).
   * Larger is faster and later. An MPSC ring publishes each record. Default 1.
   */
  readonly batch?: number | undefined;
  /** How blocking writes wait for room. Default "adaptive". */
  readonly strategy?: WaitStrategy | undefined;
}

/** How one record is written, and how long to wait for room. */
export interface RingWriteOptions extends WaitOptions {
  /** The record's type, for the reader: an integer from 0 to 2^31 - 1. Default 0. */
  readonly type?: number | undefined;
}

/** How one record is written, and how to wait for room in the event loop. */
export interface RingWriteAsyncOptions extends AsyncWaitOptions {
  /** The record's type, for the reader: an integer from 0 to 2^31 - 1. Default 0. */
  readonly type?: number | undefined;
}

const WRITE_OPTIONS: readonly string[] = ["type", ...WAIT_OPTIONS];
const WRITE_ASYNC_OPTIONS: readonly string[] = ["type", ...ASYNC_WAIT_OPTIONS];

/** Bytes up to which a loop copies faster than a call. */
const SHORT = 24;

/** What a ring of bytes takes. */
export type RingInput = Uint8Array | DataView | string;

/** What a producer takes: a value of the codec's type; in a ring of bytes, also text and views. */
export type RingWritable<T> = [T] extends [Uint8Array] ? RingInput : T;

/**
 * The writing side of a ring: the only one in the world, or one of many (`mpsc`).
 *
 * For one thread. What a crash leaves is said at `RingBuffer`. A forgotten producer is collected
 * with its ring, and its role is free then.
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
  /** Undefined where records are the bytes themselves. */
  readonly #codec: Codec<T> | undefined;
  readonly #room: WaitPoint;
  readonly #strategy: WaitStrategy;
  readonly #counters: Float64Array;
  readonly #checks: OptionChecks;
  /** Payload bytes of the open claim; -1 without one. */
  #open = -1;
  /** `maxRecordLength`; -1 once closed, so that the hot path needs one check for both. */
  #claimable: number;
  #closed = false;

  /** Made by `RingBuffer.producer`. @internal */
  constructor(kind: RingKind, place: RingPlace, codec: Codec<T>, options: RingProducerOptions) {
    const { segment, offset, memory } = place;
    this.#what = `the producer of ${memory.what}`;
    const action = `Cannot become ${this.#what}`;
    checkOptions(action, options, ["batch", "strategy"]);
    const { batch = 1, strategy = "adaptive" } = options;
    checkInteger(action, "its batch", batch, 1);
    this.#strategy = checkOneOf(action, "its strategy", strategy, WAIT_STRATEGIES);
    this.#checks = new OptionChecks(`Cannot write with ${this.#what}`);
    this.#codec = isPlain(codec as Codec<unknown>) ? undefined : codec;
    this.#room = new WaitPoint(segment, offset + layout.SPACE_WAIT_POINT);
    this.#counters = countersOf(memory);
    const reader = new WaitPoint(segment, offset + layout.DATA_WAIT_POINT);
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
   * Reserves room for a record, to be written in place. Never blocks.
   *
   * @param length Bytes, from 0 to `maxRecordLength`.
   * @param type The record's type, for the reader: an integer from 0 to 2^31 - 1.
   * @returns The record's index in `view`; -1 when the ring is full. Ends with `commit` or `abort`.
   * @throws RangeError, TypeError for a length or type that cannot be; StateError EBUSY while a
   *   claim is open; ClosedError; LayoutError.
   */
  tryClaim(length: number, type = 0): number {
    if (this.#isGone()) throw new ClosedError(this.#what);
    this.#checkClaim(length, type);
    const index = this.#core.tryClaim(length, type);
    if (index >= 0) this.#open = length;
    return index;
  }

  /**
   * Reserves room in the comfortable form, and blocks this thread while there is none:
   * `using claim = producer.claim(64)` aborts unless committed.
   *
   * @param length Bytes, from 0 to `maxRecordLength`.
   * @returns undefined when the ring stayed full for `timeoutMs`.
   * @throws As `tryClaim`; the signal's reason.
   */
  claim(length: number, options?: RingWriteOptions): RingClaim | undefined {
    this.#checks.check(options, WRITE_OPTIONS);
    const index = this.#claimWithin(length, options);
    return index < 0 ? undefined : this.#claimAt(index, length);
  }

  /**
   * As `claim`, and waits in the event loop. The claim is open from the moment that it is granted,
   * which may be before the promise is seen to be kept.
   * @throws As `claim`; ClosedError when the producer is closed meanwhile.
   */
  async claimAsync(
    length: number,
    options: RingWriteAsyncOptions = {},
  ): Promise<RingClaim | undefined> {
    this.#checks.check(options, WRITE_ASYNC_OPTIONS);
    let claimed: RingClaim | undefined;
    await this.#claimLater(length, options, (index) => {
      claimed = this.#claimAt(index, length);
    });
    return claimed;
  }

  #claimAt(index: number, length: number): RingClaim {
    const { buffer, byteOffset } = this.#buffer;
    return new RingClaim(this, this.#what, new Uint8Array(buffer, byteOffset + index, length));
  }

  /**
   * Publishes the claim, now or with its batch.
   * @throws StateError EPERM without a claim; ClosedError.
   */
  commit(): void {
    if (this.#open < 0 || this.#isGone()) this.#noClaim("commit");
    this.#open = -1;
    this.#core.commit();
  }

  /** Gives the claim up; there is no record. @throws As `commit`. */
  abort(): void {
    if (this.#open < 0 || this.#isGone()) this.#noClaim("abort");
    this.#open = -1;
    this.#core.abort();
  }

  /**
   * Writes one record, if there is room. Never blocks.
   *
   * @param value A value of the codec's type; in a ring of bytes, also a view, or text as UTF-8.
   * @param type The record's type, for the reader: an integer from 0 to 2^31 - 1.
   * @returns false when the ring is full.
   * @throws RangeError when it is longer than `maxRecordLength`; TypeError; what the codec throws;
   *   StateError EBUSY while a claim is open; ClosedError; LayoutError.
   */
  tryWrite(value: RingWritable<T>, type = 0): boolean {
    // The most common case by a short way: each further look at what came costs a nanosecond.
    if (value instanceof Uint8Array && this.#codec === undefined) {
      const target = this.#bytes;
      if (target.length === 0) throw new ClosedError(this.#what);
      if (value.length === 0) checkBytes(`Cannot write with ${this.#what}`, "the value", value);
      this.#checkClaim(value.length, type);
      const index = this.#core.tryClaim(value.length, type);
      if (index < 0) return false;
      copy(value, target, index);
      this.#core.commit();
      return true;
    }
    const input = this.#encode(value);
    const index = this.tryClaim(lengthOf(input), type);
    if (index < 0) return false;
    this.#fill(index, input);
    return true;
  }

  /**
   * Writes one record, and blocks this thread while the ring is full.
   *
   * @returns false when it stayed full for `timeoutMs`.
   * @throws As `tryWrite`; the signal's reason.
   */
  write(value: RingWritable<T>, options?: RingWriteOptions): boolean {
    this.#checks.check(options, WRITE_OPTIONS);
    const input = this.#encode(value);
    const index = this.#claimWithin(lengthOf(input), options);
    if (index < 0) return false;
    this.#fill(index, input);
    return true;
  }

  /**
   * Writes one record, and waits in the event loop while the ring is full. The bytes are copied
   * once there is room: leave them alone until then.
   *
   * @returns false when it stayed full for `timeoutMs`.
   * @throws As `write`; ClosedError when the producer is closed meanwhile.
   */
  async writeAsync(value: RingWritable<T>, options: RingWriteAsyncOptions = {}): Promise<boolean> {
    this.#checks.check(options, WRITE_ASYNC_OPTIONS);
    const input = this.#encode(value);
    return this.#claimLater(lengthOf(input), options, (index) => this.#fill(index, input));
  }

  /** @returns The index; -1 when there was no room in time. */
  #claimWithin(length: number, options: RingWriteOptions = {}): number {
    const { type = 0, timeoutMs, signal } = options;
    let index = this.tryClaim(length, type);
    if (index >= 0 || timeoutMs === 0) return index;
    this.#counters[layout.PRODUCER_WAITS >> 3]!++;
    const ready = (): boolean => (index = this.tryClaim(length, type)) >= 0;
    this.#room.wait(ready, { timeoutMs, signal, strategy: this.#strategy });
    return index;
  }

  /**
   * Claims now or later, and uses the claim in the same turn: another write may come before a
   * promise is seen to be kept.
   * @returns false when there was no room in time.
   */
  async #claimLater(
    length: number,
    options: RingWriteAsyncOptions,
    use: (index: number) => void,
  ): Promise<boolean> {
    const { type = 0 } = options;
    let used = false;
    const attempt = (): boolean => {
      const index = this.tryClaim(length, type);
      if (index < 0) return false;
      used = true;
      use(index);
      return true;
    };
    if (attempt()) return true;
    if (options.timeoutMs === 0) return false;
    this.#counters[layout.PRODUCER_WAITS >> 3]!++;
    await this.#room.waitAsync(() => this.closed || (this.#open < 0 && attempt()), options);
    if (!used && this.closed) throw new ClosedError(this.#what);
    return used;
  }

  #encode(value: RingWritable<T>): RingInput {
    if (this.#codec === undefined) return value as RingInput;
    const encoded: unknown = this.#codec.encode(value as T);
    if (encoded instanceof Uint8Array) return encoded;
    throw new TypeError(
      `Cannot write with ${this.#what}: its codec must encode to a Uint8Array, and not to ` +
        shown(encoded),
    );
  }

  #fill(index: number, input: RingInput): void {
    if (input instanceof Uint8Array) copy(input, this.#bytes, index);
    else if (typeof input === "string") this.#buffer.write(input, index);
    else copy(bytesOf(input), this.#bytes, index);
    this.commit();
  }

  /** Publishes what is committed and held back by `batch`. @throws ClosedError. */
  flush(): void {
    if (this.closed) throw new ClosedError(this.#what);
    this.#core.flush();
  }

  /** Whether the producer or the memory under it was closed. */
  get closed(): boolean {
    return this.#closed || this.#isGone();
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
    return this.#bytes.length === 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #checkClaim(length: number, type: number): void {
    if (
      this.#open >= 0 ||
      typeof length !== "number" ||
      typeof type !== "number" ||
      (length | 0) !== length ||
      length < 0 ||
      length > this.#claimable ||
      (type | 0) !== type ||
      type < 0
    ) {
      this.#refuse(length, type);
    }
  }

  #refuse(length: unknown, type: unknown): void {
    if (this.closed) throw new ClosedError(this.#what);
    const action = `Cannot write with ${this.#what}`;
    if (this.#open >= 0) {
      throw new StateError(
        "EBUSY",
        `${action}: the last claim has not ended yet. Commit or abort it`,
      );
    }
    checkInteger(action, "a record's length", length, 0, this.maxRecordLength);
    checkInteger(action, "a record's type", type, 0, MAX_TYPE);
  }

  #noClaim(verb: string): never {
    if (this.closed) throw new ClosedError(this.#what);
    throw new StateError("EPERM", `Cannot ${verb} with ${this.#what}: nothing is claimed`);
  }
}

function lengthOf(input: RingInput): number {
  if (typeof input === "string") return Buffer.byteLength(input);
  // A view of memory that is gone throws for its length, and must not be an empty record.
  if (ArrayBuffer.isView(input) && !(input.buffer as ArrayBuffer).detached) return input.byteLength;
  throw new TypeError(
    `Cannot write ${shown(input)}: without a codec it must be a Uint8Array, a DataView or a string`,
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function copy(bytes: Uint8Array, target: Uint8Array, index: number): void {
  // For a few bytes, a call of `set` costs more than the copy.
  if (bytes.length > SHORT) target.set(bytes, index);
  else for (let at = 0; at < bytes.length; at++) target[index + at] = bytes[at]!;
}
