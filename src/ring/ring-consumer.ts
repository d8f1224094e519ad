import { checkBoolean, checkFunction, checkInteger, isAsyncFunction } from "../arguments.ts";
import { ClosedError, StateError } from "../errors.ts";
import * as layout from "../layout/ring-layout.ts";
import { monotonicMs } from "../libc/time.ts";
import { quietly } from "../segment/quietly.ts";
import type { Codec } from "../struct/codec.ts";
import { decodeValue, hasScratchForm } from "../struct/scratch-codec.ts";
import type { AbortSignalLike } from "../waiting/abort-signal.ts";
import { AsyncLine } from "../waiting/async-line.ts";
import { RECHECK_MS } from "../waiting/limits.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkTimeout,
  checkWait,
} from "../waiting/wait-options.ts";
import { type Ready, WaitPoint, type WaitStrategy } from "../waiting/wait-point.ts";
import { type RecordHandler, type RingConsumerCore, refusePromise } from "./algorithm/core.ts";
import { countersOf } from "./algorithm/views.ts";
import { OptionChecks } from "./option-checks.ts";
import {
  READ_ASYNC_OPTIONS,
  READ_OPTIONS,
  type RingConsumerOptions,
  type RingReadAsyncOptions,
  type RingReadOptions,
  type RingValuesOptions,
  VALUES_OPTIONS,
  checkConsumer,
} from "./read-options.ts";
import type { RingKind, RingPlace, Role } from "./ring-kinds.ts";

const NO_LIMIT = 0x7fffffff;
/** Equal to no handler that anybody passes, nor to one that is missing. */
const NONE: RecordHandler = () => undefined;

/**
 * The reading side of a ring: the only one in all processes, or one of many (`broadcast`).
 *
 * One thread uses it. It gives room back to the producer at least after each eighth of the ring,
 * and at the end of a read when nothing is left or a producer sleeps for want of room. `RingBuffer`
 * says what a crash leaves. The garbage collector ends a forgotten consumer together with its ring,
 * and frees the role.
 *
 * A record counts as read before its handler is called: a handler that throws loses that record and
 * no other. A handler may close the consumer, and is then not called again. It cannot read with the
 * consumer that called it.
 *
 * Asynchronous reads that wait at the same time are served in the order in which they were called,
 * and each record is handed over once. Calls that need not wait let the event loop turn every two
 * milliseconds.
 */
export class RingConsumer<T = Uint8Array> {
  readonly #what: string;
  readonly #kind: RingKind;
  readonly #place: RingPlace;
  readonly #role: Role<RingConsumerCore>;
  readonly #core: RingConsumerCore;
  /** The bytes of `core.view`. */
  readonly #bytes: Uint8Array;
  readonly #codec: Codec<T>;
  /** Whether the codec is this package's own, which calls no code of the user's to decode. */
  readonly #ownCodec: boolean;
  readonly #records: WaitPoint;
  readonly #strategy: WaitStrategy;
  readonly #counters: Float64Array;
  readonly #checks: OptionChecks;
  /** The last handler that was checked. */
  #handler: RecordHandler = NONE;
  #closed = false;
  /** Whether a read is in progress; and true once closed, so that one look checks both. */
  #busy = false;
  /** The value that was taken last; its bytes, if a codec of the user's is to decode them. */
  #taken: T | Uint8Array | undefined;
  readonly #line = new AsyncLine();

  /** Made by `RingBuffer.consumer`. @internal */
  constructor(kind: RingKind, place: RingPlace, codec: Codec<T>, options: RingConsumerOptions) {
    const { segment, offset, memory } = place;
    this.#kind = kind;
    this.#place = place;
    this.#what = `the consumer of ${memory.what}`;
    const action = `Cannot become ${this.#what}`;
    const { strategy, pause } = checkConsumer(action, options);
    this.#strategy = strategy;
    this.#checks = new OptionChecks(`Cannot read with ${this.#what}`);
    this.#codec = codec;
    this.#ownCodec = hasScratchForm(codec);
    this.#records = new WaitPoint(segment, offset + layout.DATA_WAIT_POINT_OFFSET, {
      forHolder: kind.name === "mpsc",
      forLight: true,
    });
    this.#counters = countersOf(memory);
    const writer = new WaitPoint(segment, offset + layout.SPACE_WAIT_POINT_OFFSET);
    this.#role = kind.takeConsumer(place, writer, pause);
    this.#core = this.#role.core;
    const { buffer, byteOffset, byteLength } = this.#core.view;
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength);
  }

  /**
   * Hands the records that are there to the handler, in place and without a copy: `length` bytes of
   * `view` from `index`, which are valid until the handler returns. Never blocks.
   *
   * @param handler A synchronous function: one that returns a promise is refused.
   * @param limit The most records; an integer above 0. Default: all that are there, at most one
   *   lap.
   * @returns The number of records that were handled; 0 when the ring is empty.
   * @throws The handler's error; LayoutError when the bytes are no records; ClosedError.
   * @throws StateError EBUSY inside a handler of this consumer.
   * @throws TypeError, RangeError for a bad handler or limit.
   */
  tryRead(handler: RecordHandler, limit: number = NO_LIMIT): number {
    if (handler !== this.#handler) this.#acceptHandler(handler);
    if (typeof limit !== "number" || (limit | 0) !== limit || limit < 1) this.#checkLimit(limit);
    return this.#readNow(handler, limit);
  }

  /**
   * Does the same as `tryRead`, and blocks this thread until there is a record.
   *
   * @returns The number of records that were handled; 0 when none came within `timeoutMs`.
   * @throws The errors of `tryRead`; the signal's reason.
   */
  read(handler: RecordHandler, options?: RingReadOptions): number {
    this.#checks.check(options, READ_OPTIONS);
    const limit = options?.limit ?? NO_LIMIT;
    const count = this.tryRead(handler, limit);
    return count > 0 ? count : this.#readWithin(handler, limit, options);
  }

  /**
   * Does the same as `tryRead`, and waits in the event loop for the first record.
   *
   * @returns The number of records that were handled; 0 when none came within `timeoutMs`, or the
   *   consumer was closed during the wait.
   * @throws The errors of `tryRead`; the signal's reason.
   */
  async readAsync(handler: RecordHandler, options: RingReadAsyncOptions = {}): Promise<number> {
    this.#checks.check(options, READ_ASYNC_OPTIONS);
    const { limit = NO_LIMIT } = options;
    this.#acceptHandler(handler);
    if (limit !== NO_LIMIT) this.#checkLimit(limit);
    if (!this.#line.taken) {
      let count = this.#readNow(handler, limit);
      if (count === 0 && this.#isHot(options)) count = this.#readCore(handler, limit);
      if (count > 0 && isTurnDue()) await takeTurn();
      if (count > 0) return count;
    }
    const read = (): number | undefined => this.#readNow(handler, limit) || undefined;
    return (await this.#waitInTurn(read, options)) ?? 0;
  }

  /**
   * Takes one record out as a value, if there is one. Never blocks.
   *
   * @returns The value; undefined when the ring is empty.
   * @throws The codec's error; LayoutError when the bytes are no records; ClosedError.
   */
  tryTake(): T | undefined {
    return this.#valueOf(this.#takeNow());
  }

  /**
   * Takes one record out as a value, and blocks this thread until there is one.
   *
   * @returns The value; undefined when none came within `timeoutMs`.
   * @throws The errors of `tryTake`; the signal's reason; TypeError, RangeError for bad options.
   */
  take(options?: WaitOptions): T | undefined {
    this.#checks.check(options, WAIT_OPTIONS);
    const taken = this.#takeNow();
    if (taken !== undefined) return this.#valueOf(taken);
    this.#readWithin(this.#keep, 1, options);
    return this.#valueOf(this.#takeOut());
  }

  /**
   * Takes one record out as a value, and waits for it in the event loop.
   *
   * @returns The value; undefined when none came within `timeoutMs`, or the consumer was closed
   *   during the wait.
   * @throws The errors of `take`.
   */
  async takeAsync(options: AsyncWaitOptions = {}): Promise<T | undefined> {
    this.#checks.check(options, ASYNC_WAIT_OPTIONS);
    let taken = this.#line.taken ? undefined : this.#takeNow();
    if (taken === undefined && this.#isHot(options)) taken = this.#takeNow();
    if (taken === undefined) taken = await this.#waitInTurn(() => this.#takeNow(), options);
    else if (isTurnDue()) await takeTurn();
    return this.#valueOf(taken);
  }

  /**
   * Blocks this thread until there is a record.
   *
   * @returns true when there is one; false when none came within `timeoutMs`.
   * @throws ClosedError; the signal's reason; TypeError, RangeError for bad options.
   */
  wait(options: WaitOptions = {}): boolean {
    this.#checks.check(options, WAIT_OPTIONS);
    this.#checkOpen();
    return this.#waitWithin(options.timeoutMs, options.signal);
  }

  /**
   * Waits in the event loop until there is a record.
   *
   * @returns true when there is one; false when none came within `timeoutMs`, or the consumer was
   *   closed during the wait.
   * @throws The errors of `wait`.
   */
  async waitAsync(options: AsyncWaitOptions = {}): Promise<boolean> {
    this.#checks.check(options, ASYNC_WAIT_OPTIONS);
    this.#checkOpen();
    return (await this.#waitLater(this.#isReady, options)) && !this.closed;
  }

  /**
   * Yields the value of every record as it comes, and waits in the event loop for more.
   *
   * @returns An iterator that ends when the consumer is closed, or as the options say.
   * @throws ClosedError when it is closed already; TypeError for bad options.
   */
  values(options: RingValuesOptions = {}): AsyncGenerator<T, void, void> {
    const action = `Cannot read with ${this.#what}`;
    checkWait(action, options, VALUES_OPTIONS);
    const { signal, untilProducersEnd = false } = options;
    checkBoolean(action, "untilProducersEnd", untilProducersEnd);
    this.#checkOpen();
    return this.#iterate(signal, untilProducersEnd);
  }

  /** Yields the value of every record until the consumer is closed. @throws ClosedError. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this.values();
  }

  async *#iterate(
    signal: AbortSignalLike | undefined,
    untilProducersEnd: boolean,
  ): AsyncGenerator<T, void, void> {
    const take = (): T | Uint8Array | undefined => this.#takeNow();
    const timeoutMs = untilProducersEnd ? RECHECK_MS : undefined;
    while (!this.closed) {
      signal?.throwIfAborted();
      let taken = this.#line.taken ? undefined : take();
      if (taken === undefined && this.#isHot({})) taken = take();
      if (taken !== undefined) {
        if (isTurnDue()) await takeTurn();
      } else if (untilProducersEnd && this.#haveProducersEnded()) {
        // All that they published is there by now.
        this.#core.skipDead?.();
        taken = take();
        if (taken === undefined) return;
      } else {
        taken = await this.#waitInTurn(take, { timeoutMs, signal });
      }
      if (taken !== undefined) yield this.#valueOf(taken) as T;
    }
  }

  #haveProducersEnded(): boolean {
    if (this.#kind.hasProducer(this.#place)) return false;
    return this.#kind.published(this.#place.memory).records > 0;
  }

  /**
   * The number of records of a broadcast ring that were overwritten before this consumer read them,
   * since it joined. Exact; 0 in every other ring.
   */
  get lost(): number {
    return this.#core.lost ?? 0;
  }

  /** Whether the consumer, or the memory under it, was closed. */
  get closed(): boolean {
    return this.#closed || this.#isGone();
  }

  /** Gives the role back. Unread records stay for the next consumer; waits of this one end. */
  close(): void {
    if (this.#closed) return;
    // So the next consumer does not read again what was read here.
    this.#core.end();
    this.#closed = true;
    this.#busy = true;
    this.#records.endWaits();
    this.#role.lock?.letGo();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Waits for a record and reads. What comes may be only padding: then it waits on. */
  #readWithin(handler: RecordHandler, limit: number, options: WaitOptions = {}): number {
    const { timeoutMs, signal } = options;
    const deadline = monotonicMs() + checkTimeout(timeoutMs);
    for (let left = timeoutMs; left !== 0; left = remaining(timeoutMs, deadline)) {
      if (!this.#waitWithin(left, signal)) return 0;
      const count = this.#readCore(handler, limit);
      if (count > 0) return count;
    }
    return 0;
  }

  /**
   * Waits until the calls before this one are served, and then for a record.
   *
   * @param read Reads what is there; it returns undefined when nothing is.
   * @returns What it read; undefined when nothing came in time, or the consumer was closed.
   */
  async #waitInTurn<R>(
    read: () => R | undefined,
    { timeoutMs, signal, ref }: AsyncWaitOptions,
  ): Promise<R | undefined> {
    this.#checkOpen();
    if (timeoutMs === 0) return undefined;
    const limitMs = checkTimeout(timeoutMs);
    const deadline = monotonicMs() + limitMs;
    if (!(await this.#line.enter(limitMs, signal, ref))) return undefined;
    try {
      if (this.closed) return undefined;
      // It reads as soon as it finds something, and not some microtasks later.
      let found: R | undefined;
      const attempt = (unasked?: boolean): boolean => {
        if (!this.#isReady(unasked)) return false;
        // What comes may be only padding: then it waits on.
        if (!this.closed) found = read();
        return found !== undefined || this.closed;
      };
      await this.#waitLater(attempt, { timeoutMs: remaining(timeoutMs, deadline), signal, ref });
      return found;
    } finally {
      this.#line.leave();
    }
  }

  /** Reads what is there, and counts when nothing is. */
  #readNow(handler: RecordHandler, limit: number): number {
    const count = this.#readCore(handler, limit);
    if (count === 0 && !this.#closed) this.#counters[layout.CONSUMER_EMPTY_OFFSET >> 3]!++;
    return count;
  }

  #readCore(handler: RecordHandler, limit: number): number {
    if (this.#busy || this.#counters.length === 0) this.#refuse();
    this.#busy = true;
    try {
      return this.#core.read(handler, limit);
    } finally {
      this.#busy = this.#closed;
    }
  }

  #refuse(): never {
    if (this.closed) throw new ClosedError(this.#what);
    throw new StateError(
      "EBUSY",
      `Cannot read with ${this.#what} inside one of its handlers: the record's bytes are valid ` +
        "until that handler returns, and a nested read would give them back. Return first",
    );
  }

  #waitWithin(timeoutMs: number | undefined, signal: AbortSignalLike | undefined): boolean {
    if (this.#core.hasRecord()) return true;
    if (timeoutMs === 0) return false;
    this.#counters[layout.CONSUMER_WAITS_OFFSET >> 3]!++;
    return this.#records.wait(this.#isReady, { timeoutMs, signal, strategy: this.#strategy });
  }

  #waitLater(ready: Ready, options: AsyncWaitOptions): Promise<boolean> {
    if (options.timeoutMs !== 0 && !this.#core.hasRecord()) {
      this.#counters[layout.CONSUMER_WAITS_OFFSET >> 3]!++;
    }
    return this.#records.waitAsync(ready, options, true);
  }

  /** Whether a record comes while it is worth looking before the event loop turns. */
  #isHot({ timeoutMs }: AsyncWaitOptions): boolean {
    return timeoutMs !== 0 && !this.#line.taken && this.#records.lookWhileHot(this.#isReady);
  }

  /** Whether a wait ends: a record is there, or the consumer is closed. */
  readonly #isReady = (unasked = false): boolean => {
    if (this.closed) return true;
    // A dead producer's claim may stand before the next record.
    if (unasked) quietly(() => this.#core.skipDead?.());
    return this.#core.hasRecord();
  };

  /** Code of the user's never runs on the ring's bytes: its codec gets a copy, after the read. */
  readonly #keep: RecordHandler = ({ buffer, byteOffset }, index, length) => {
    this.#taken = this.#ownCodec
      ? this.#codec.decode(new Uint8Array(buffer, byteOffset + index, length))
      : this.#bytes.slice(index, index + length);
  };

  #takeNow(): T | Uint8Array | undefined {
    this.#readNow(this.#keep, 1);
    return this.#takeOut();
  }

  #takeOut(): T | Uint8Array | undefined {
    const taken = this.#taken;
    this.#taken = undefined;
    return taken;
  }

  #valueOf(taken: T | Uint8Array | undefined): T | undefined {
    if (taken === undefined || this.#ownCodec) return taken as T | undefined;
    return decodeValue(this.#codec, taken as Uint8Array);
  }

  #acceptHandler(handler: RecordHandler): void {
    checkFunction(`Cannot read with ${this.#what}`, "its handler", handler);
    if (isAsyncFunction(handler)) refusePromise();
    this.#handler = handler;
  }

  #checkLimit(limit: number): void {
    checkInteger(`Cannot read with ${this.#what}`, "its limit", limit, 1);
  }

  #checkOpen(): void {
    if (this.closed) throw new ClosedError(this.#what);
  }

  /** Whether the segment was closed under the consumer. */
  #isGone(): boolean {
    return this.#counters.length === 0;
  }
}

/** @returns The milliseconds that are left; undefined when the wait has no end. */
function remaining(timeoutMs: number | undefined, deadline: number): number | undefined {
  return timeoutMs === undefined ? undefined : Math.max(deadline - monotonicMs(), 0);
}
