import { type Codec, codecs } from "../struct/codec.ts";
import { ClosedError } from "../errors.ts";
import * as layout from "../layout/ring-layout.ts";
import type { RingKind, RingPlace, Role } from "./ring-kinds.ts";
import type { RecordHandler, RingConsumerCore } from "./algorithm/core.ts";
import { countersOf } from "./algorithm/views.ts";
import type { AsyncWaitOptions } from "../waiting/wait-options.ts";
import { WaitPoint, type WaitStrategy } from "../waiting/wait-point.ts";

/** How a consumer works. */
export interface RingConsumerOptions {
  /** How blocking reads wait for a record. Default "adaptive". */
  strategy?: WaitStrategy;
}

/** How many records, and how long to wait for the first of them. */
export interface RingReadOptions {
  /** Most records; an integer above 0. Default: what is there, at most one lap of the ring. */
  limit?: number;
  /** Milliseconds to block while there is nothing; undefined and 0 do not block. */
  timeoutMs?: number;
}

/** How many records, and how to wait for the first of them in the event loop. */
export interface RingReadAsyncOptions extends AsyncWaitOptions {
  /** As of `RingReadOptions`. */
  readonly limit?: number;
}

const NO_LIMIT = 0x7fffffff;

/**
 * The reading side of a ring: the only one in the world, or one of many (`broadcast`).
 *
 * For one thread. Nothing here blocks but what is given a `timeoutMs`. Room is given back to the
 * producer at each eighth of the ring at the latest, and at the end of a read when everything is
 * read or a producer sleeps for want of room.
 *
 * A record counts as read before its handler is called: one that throws loses its own record, and
 * no other.
 */
export class RingConsumer<T = Uint8Array> {
  readonly #what: string;
  readonly #role: Role<RingConsumerCore>;
  readonly #core: RingConsumerCore;
  readonly #codec: Codec<T>;
  readonly #records: WaitPoint;
  readonly #strategy: WaitStrategy;
  readonly #counters: Float64Array;
  #closed = false;
  #taken: T | undefined;

  /** Made by `RingBuffer.consumer`. @internal */
  constructor(
    kind: RingKind,
    place: RingPlace,
    codec: Codec<T> | undefined,
    { strategy = "adaptive" }: RingConsumerOptions,
  ) {
    this.#what = `the consumer of ${place.what}`;
    this.#codec = codec ?? (codecs.bytes as unknown as Codec<T>);
    this.#strategy = strategy;
    this.#records = new WaitPoint(place.segment, layout.DATA_WAIT_POINT);
    this.#counters = countersOf(place.memory);
    const writer = new WaitPoint(place.segment, layout.SPACE_WAIT_POINT);
    this.#role = kind.takeConsumer(place, writer);
    this.#core = this.#role.core;
  }

  /**
   * Hands the records that are there to the handler, in place and without a copy: `length` bytes of
   * `view` from `index`, which are the ring's own until the handler returns.
   *
   * @param options The most records as a number, or more.
   * @returns How many were handled; 0 when there was none, or none came for `timeoutMs`.
   * @throws What the handler throws; LayoutError for bytes that are no records; ClosedError.
   */
  read(handler: RecordHandler, options: number | RingReadOptions = NO_LIMIT): number {
    if (this.#closed) throw new ClosedError(this.#what);
    const limit = typeof options === "number" ? options : (options.limit ?? NO_LIMIT);
    if (!(limit >= 1)) {
      throw new RangeError(`Cannot read ${String(limit)} records: a limit is an integer above 0`);
    }
    const count = this.#core.read(handler, limit);
    if (count > 0) return count;
    this.#counters[layout.CONSUMER_EMPTY >> 3]!++;
    const timeoutMs = typeof options === "number" ? 0 : (options.timeoutMs ?? 0);
    return timeoutMs > 0 ? this.#readWithin(handler, limit, timeoutMs) : 0;
  }

  /** What comes may be nothing but padding: then it waits on. */
  #readWithin(handler: RecordHandler, limit: number, timeoutMs: number): number {
    const deadline = performance.now() + timeoutMs;
    for (let left = timeoutMs; left > 0 && this.wait(left); left = deadline - performance.now()) {
      const count = this.#core.read(handler, limit);
      if (count > 0) return count;
    }
    return 0;
  }

  /**
   * Blocks until there is a record. @returns false when none came for `timeoutMs`.
   * @throws ClosedError.
   */
  wait(timeoutMs?: number): boolean {
    if (this.#closed) throw new ClosedError(this.#what);
    if (this.#core.hasRecord()) return true;
    this.#counters[layout.CONSUMER_WAITS >> 3]!++;
    const { hasRecord } = this;
    const options = { strategy: this.#strategy, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    return this.#records.wait(hasRecord, options);
  }

  /**
   * Waits in the event loop until there is a record, or the consumer is closed.
   *
   * @returns Whether there is one; false when none came for `timeoutMs`.
   * @throws The signal's reason; ClosedError.
   */
  async waitAsync(options: AsyncWaitOptions = {}): Promise<boolean> {
    if (this.#closed) throw new ClosedError(this.#what);
    if (this.#core.hasRecord()) return true;
    this.#counters[layout.CONSUMER_WAITS >> 3]!++;
    return (await this.#records.waitAsync(this.hasRecord, options)) && !this.#closed;
  }

  /** Whether a record is there, or the consumer is closed and nobody need wait on. */
  private readonly hasRecord = (): boolean => this.#closed || this.#core.hasRecord();

  /**
   * As `read`, and waits in the event loop for the first record.
   *
   * @returns 0 when none came for `timeoutMs`, or the consumer was closed meanwhile.
   * @throws As `read`; the signal's reason.
   */
  async readAsync(handler: RecordHandler, options: RingReadAsyncOptions = {}): Promise<number> {
    const { limit = NO_LIMIT, timeoutMs, ...waiting } = options;
    const deadline = performance.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const count = this.read(handler, limit);
      if (count > 0) return count;
      // What comes may be nothing but padding: then it waits on.
      const left = Math.max(deadline - performance.now(), 0);
      const options = timeoutMs === undefined ? waiting : { ...waiting, timeoutMs: left };
      if (!(await this.waitAsync(options))) return 0;
    }
  }

  /**
   * Takes one record as a value of its own.
   *
   * @param timeoutMs Milliseconds to block while there is none. Default 0.
   * @returns undefined when there is none.
   * @throws What the codec throws; as `read`.
   */
  take(timeoutMs = 0): T | undefined {
    this.#taken = undefined;
    this.read(this.#decode, timeoutMs === 0 ? 1 : { limit: 1, timeoutMs });
    const taken = this.#taken;
    this.#taken = undefined;
    return taken;
  }

  readonly #decode: RecordHandler = ({ buffer, byteOffset }, index, length) => {
    this.#taken = this.#codec.decode(new Uint8Array(buffer, byteOffset + index, length));
  };

  /** As `take`, and waits in the event loop. @throws As `take`; the signal's reason. */
  async takeAsync(options: AsyncWaitOptions = {}): Promise<T | undefined> {
    await this.readAsync(this.#decode, { ...options, limit: 1 });
    const taken = this.#taken;
    this.#taken = undefined;
    return taken;
  }

  /** Every record, as it comes; ends when the consumer is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    while (!this.#closed) {
      const count = this.#core.read(this.#decode, 1);
      if (count > 0) {
        const taken = this.#taken as T;
        this.#taken = undefined;
        yield taken;
      } else {
        await this.waitAsync();
      }
    }
  }

  /**
   * Records that were overwritten before this consumer read them, since it joined a broadcast ring.
   * Exact; 0 in every other ring.
   */
  get lost(): number {
    return this.#core.lost ?? 0;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Gives the role back; what was not read stays for the next consumer. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // What was read is not read again by the next consumer. A closed segment has no bytes any more.
    if (this.#core.view.buffer.byteLength > 0) this.#core.giveBack?.();
    this.#records.endWaits();
    this.#role.lock?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
