import { checkBytes, checkInteger, checkOneOf, checkOptions, shown } from "../arguments.ts";
import { ClosedError, StateError } from "../errors.ts";
import { MAX_TYPE } from "../layout/record-descriptor.ts";
import * as layout from "../layout/ring-layout.ts";
import { monotonicMs } from "../libc/time.ts";
import type { Codec } from "../struct/codec.ts";
import { AsyncLine } from "../waiting/async-line.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkTimeout,
} from "../waiting/wait-options.ts";
import { WAIT_STRATEGIES, WaitPoint, type WaitStrategy } from "../waiting/wait-point.ts";
import type { RingProducerCore } from "./algorithm/core.ts";
import { countersOf } from "./algorithm/views.ts";
import { OptionChecks } from "./option-checks.ts";
import { RingClaim } from "./ring-claim.ts";
import { type RingInput, type RingWritable, lengthOf } from "./ring-input.ts";
import type { RingKind, RingPlace, Role } from "./ring-kinds.ts";
import { isPlain } from "./ring-options.ts";

/** How a producer works. */
export interface RingProducerOptions {
  /**
   * Publish after this many records; and at `flush`, when the ring is full, before any wait, and at
   * `close`. A larger batch is faster, and its records arrive later. An MPSC ring publishes each
   * record at once. Default 1.
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

/**
 * The writing side of a ring: the only one in all processes, or one of many (`mpsc`).
 *
 * One thread uses it. `RingBuffer` says what a crash leaves. The garbage collector ends a forgotten
 * producer together with its ring, and frees the role; records of an unpublished batch are lost.
 *
 * Records keep the order of the calls that write them. Asynchronous calls that wait for room are
 * served one after the other; until then `tryWrite` and `tryClaim` find the ring full, and blocking
 * calls are refused, because they would keep the earlier ones waiting.
 */
export class RingProducer<T = Uint8Array> {
  /** The ring's data, in which claims are written. One view for the producer's whole life. */
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
  /**
   * `maxRecordLength`; -1 once closed and while asynchronous calls wait, so that one comparison on
   * the hot path checks all of it.
   */
  #claimable: number;
  #closed = false;
  readonly #line = new AsyncLine();

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
    this.#room = new WaitPoint(segment, offset + layout.SPACE_WAIT_POINT_OFFSET, {
      forLight: true,
    });
    this.#counters = countersOf(memory);
    const reader = new WaitPoint(segment, offset + layout.DATA_WAIT_POINT_OFFSET);
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
   * Reserves room for a record, to be written in place and ended with `commit` or `abort`. Never
   * blocks.
   *
   * @param length Bytes, from 0 to `maxRecordLength`.
   * @param type The record's type, for the reader: an integer from 0 to 2^31 - 1.
   * @returns The record's index in `view`; -1 when the ring is full.
   * @throws RangeError, TypeError for a bad length or type; StateError EBUSY while a claim is open;
   *   LayoutError when the ring is corrupt; ClosedError.
   */
  tryClaim(length: number, type = 0): number {
    return this.#mayClaim(length, type) ? this.#claimNow(length, type) : -1;
  }

  #claimNow(length: number, type: number): number {
    const index = this.#core.tryClaim(length, type);
    if (index >= 0) this.#open = length;
    return index;
  }

  /**
   * Reserves room for a record, and blocks this thread while there is none. A claim that was not
   * committed aborts at the end of its scope: `using claim = producer.claim(64)`.
   *
   * @param length Bytes, from 0 to `maxRecordLength`.
   * @returns The claim; undefined when the ring stayed full for `timeoutMs`.
   * @throws The errors of `tryClaim`; the signal's reason.
   */
  claim(length: number, options?: RingWriteOptions): RingClaim | undefined {
    this.#checks.check(options, WRITE_OPTIONS);
    const index = this.#claimWithin(length, options);
    return index < 0 ? undefined : this.#claimAt(index, length);
  }

  /**
   * Reserves room for a record, and waits for it in the event loop. The claim is open as soon as it
   * is granted, which may be some turns before the caller's `await` returns.
   *
   * @param length Bytes, from 0 to `maxRecordLength`.
   * @returns The claim; undefined when the ring stayed full for `timeoutMs`.
   * @throws The errors of `claim`; ClosedError when the producer is closed during the wait.
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
   * Publishes the claimed record, at once or with its batch. Never blocks.
   * @throws StateError EPERM when nothing is claimed; ClosedError.
   */
  commit(): void {
    if (this.#open < 0 || this.#isGone()) this.#noClaim("commit");
    this.#open = -1;
    this.#core.commit();
    if (this.#claimable < 0) this.#room.lookAgain();
  }

  /** Gives the claimed room back: there is no record. @throws The errors of `commit`. */
  abort(): void {
    if (this.#open < 0 || this.#isGone()) this.#noClaim("abort");
    this.#open = -1;
    this.#core.abort();
    if (this.#claimable < 0) this.#room.lookAgain();
  }

  /**
   * Writes one record, if there is room. Never blocks.
   *
   * @param value A value of the codec's type; in a ring of bytes, also a view, or text as UTF-8.
   * @param type The record's type, for the reader: an integer from 0 to 2^31 - 1.
   * @returns true when the record is written; false when the ring is full.
   * @throws RangeError when the record is longer than `maxRecordLength`; TypeError for a value that
   *   is not the codec's; the codec's error; StateError EBUSY while a claim is open; LayoutError
   *   when the ring is corrupt; ClosedError.
   */
  tryWrite(value: RingWritable<T>, type = 0): boolean {
    // A short way for the most common case: each further look at the value costs a nanosecond.
    if (value instanceof Uint8Array && this.#codec === undefined) {
      const { length } = value;
      if (length === 0) checkBytes(`Cannot write with ${this.#what}`, "the value", value);
      if (this.#bytes.length > 0 && this.#open < 0 && length <= this.#claimable && type === 0) {
        return this.#core.tryWrite(value, length, 0);
      }
      return this.#mayClaim(length, type) && this.#core.tryWrite(value, length, type);
    }
    const input = this.#encode(value);
    const length = lengthOf(input);
    if (typeof input !== "string") {
      return this.#mayClaim(length, type) && this.#core.tryWrite(input, length, type);
    }
    const index = this.tryClaim(length, type);
    if (index < 0) return false;
    this.#fill(index, input);
    return true;
  }

  /**
   * Writes one record, and blocks this thread while the ring is full.
   *
   * @returns true when the record is written; false when the ring stayed full for `timeoutMs`.
   * @throws The errors of `tryWrite`; the signal's reason; RangeError, TypeError for bad options.
   */
  write(value: RingWritable<T>, options?: RingWriteOptions): boolean {
    this.#checks.check(options, WRITE_OPTIONS);
    // The short way, if there is room.
    if (value instanceof Uint8Array && this.#codec === undefined) {
      if (this.tryWrite(value, options?.type)) return true;
    }
    const input = this.#encode(value);
    const index = this.#claimWithin(lengthOf(input), options);
    if (index < 0) return false;
    this.#fill(index, input);
    return true;
  }

  /**
   * Writes one record, and waits in the event loop while the ring is full. The bytes are copied
   * only once there is room: do not change them until then.
   *
   * @returns true when the record is written; false when the ring stayed full for `timeoutMs`.
   * @throws The errors of `write`; ClosedError when the producer is closed during the wait.
   */
  async writeAsync(value: RingWritable<T>, options: RingWriteAsyncOptions = {}): Promise<boolean> {
    this.#checks.check(options, WRITE_ASYNC_OPTIONS);
    let input = this.#encode(value);
    // A codec may encode into the same bytes each time.
    const keep = (): void => void (this.#codec && (input = (input as Uint8Array).slice()));
    const fill = (index: number): void => this.#fill(index, input);
    return this.#claimLater(lengthOf(input), options, fill, keep);
  }

  /** @returns The claim's index; -1 when there was no room in time. */
  #claimWithin(length: number, options: RingWriteOptions = {}): number {
    const index = this.tryClaim(length, options.type);
    return index >= 0 || options.timeoutMs === 0 ? index : this.#waitToClaim(length, options);
  }

  /** Apart from `#claimWithin`, which would otherwise make a closure for each record. */
  #waitToClaim(length: number, { type, timeoutMs, signal }: RingWriteOptions): number {
    if (this.#line.taken) {
      throw new StateError(
        "EBUSY",
        `Cannot write with ${this.#what}: asynchronous calls wait for room before this one, and ` +
          "blocking the thread would keep them waiting. Await them first",
      );
    }
    let index = -1;
    this.#counters[layout.PRODUCER_WAITS_OFFSET >> 3]!++;
    const ready = (): boolean => (index = this.tryClaim(length, type)) >= 0;
    this.#room.wait(ready, { timeoutMs, signal, strategy: this.#strategy });
    return index;
  }

  /**
   * Claims now or later, and uses the claim in the same turn of the event loop: another write may
   * run before an `await` returns.
   *
   * @param keep Called before it waits.
   * @returns true when it was used; false when there was no room in time.
   */
  async #claimLater(
    length: number,
    options: RingWriteAsyncOptions,
    use: (index: number) => void,
    keep: () => void = () => undefined,
  ): Promise<boolean> {
    const { type = 0, timeoutMs, signal, ref } = options;
    const index = this.tryClaim(length, type);
    if (index >= 0) {
      use(index);
      if (isTurnDue()) await takeTurn();
      return true;
    }
    if (timeoutMs === 0) return false;
    this.#counters[layout.PRODUCER_WAITS_OFFSET >> 3]!++;
    keep();
    this.#claimable = -1;
    const limitMs = checkTimeout(timeoutMs);
    const deadline = monotonicMs() + limitMs;
    let used = false;
    const attempt = (): boolean => {
      if (this.closed) return true;
      if (this.#open >= 0) return false;
      const index = this.#claimNow(length, type);
      if (index < 0) return false;
      used = true;
      use(index);
      return true;
    };
    try {
      if (!(await this.#line.enter(limitMs, signal, ref))) return false;
      try {
        const leftMs = Math.max(deadline - monotonicMs(), 0);
        await this.#room.waitAsync(attempt, { timeoutMs: leftMs, signal, ref });
      } finally {
        this.#line.leave();
      }
    } finally {
      if (!this.#line.taken && !this.#closed) this.#claimable = this.maxRecordLength;
    }
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
    if (typeof input === "string") this.#buffer.write(input, index);
    else this.#core.data.put(index, input, input.byteLength);
    this.commit();
  }

  /** Publishes the committed records that `batch` holds back. Never blocks. @throws ClosedError. */
  flush(): void {
    if (this.closed) throw new ClosedError(this.#what);
    this.#core.flush();
  }

  /** Whether the producer, or the memory under it, was closed. */
  get closed(): boolean {
    return this.#closed || this.#isGone();
  }

  /** Aborts an open claim, publishes the committed records, and gives the role back. */
  close(): void {
    if (this.#closed) return;
    if (!this.#isGone()) {
      if (this.#open >= 0) this.abort();
      this.#core.flush();
    }
    this.#closed = true;
    this.#claimable = -1;
    this.#room.endWaits();
    this.#role.lock?.letGo();
  }

  /** Whether the segment was closed under the producer. */
  #isGone(): boolean {
    return this.#bytes.length === 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * @returns Whether a record may be claimed: not while asynchronous calls wait.
   * @throws The errors of `tryClaim`.
   */
  #mayClaim(length: number, type: number): boolean {
    return (
      (this.#bytes.length > 0 &&
        this.#open < 0 &&
        typeof length === "number" &&
        (length | 0) === length &&
        length >= 0 &&
        length <= this.#claimable &&
        typeof type === "number" &&
        (type | 0) === type &&
        type >= 0) ||
      this.#refuse(length, type)
    );
  }

  #refuse(length: unknown, type: unknown): false {
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
    return false;
  }

  #noClaim(verb: string): never {
    if (this.closed) throw new ClosedError(this.#what);
    throw new StateError("EPERM", `Cannot ${verb} with ${this.#what}: nothing is claimed`);
  }
}
