import { checkOptions, checkWellFormed, shown } from "../arguments.ts";
import { StateError, SystemError } from "../errors.ts";
import {
  LEASE_CURRENT_OFFSET,
  LEASE_LENGTH,
  LEASE_LOCK_OFFSET,
  LEASE_PID_OFFSET,
  LEASE_SINCE_OFFSET,
  LEASE_TEXT_LENGTH_OFFSET,
  MAX_LEASE_TEXT_LENGTH,
  LEASE_TEXT_OFFSET,
  LEASE_TOKENS_OFFSET,
  LEASE_VERSION_OFFSET,
  LEASE_WAIT_POINT_OFFSET,
} from "../layout/lease-layout.ts";
import { LEASE_MARK } from "../layout/lock-marks.ts";
import { load, store } from "../memory/atomics.ts";
import { steadyMs } from "../memory/boot.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Placed } from "../segment/placed.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed-options.ts";
import { takePlace } from "../segment/reload.ts";
import type { Segment } from "../segment/segment.ts";
import { NAME_CHECK_MS, STABLE_READ_TRIES } from "../waiting/limits.ts";
import { AsyncLine } from "../waiting/async-line.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkWait,
} from "../waiting/wait-options.ts";
import { type Outcome, isMine } from "./algorithm/lock-core.ts";
import { LockHandle } from "./handle.ts";
import { LockKind } from "./lock-kind.ts";
import { LockMemory } from "./lock-memory.ts";
import { OwnedLock } from "./owned-lock.ts";

/** What the new holder tells others about itself. */
export interface LeaseAcquireOptions {
  /** Free text that `holder` shows, at most 320 bytes of UTF-8: a host, an address. */
  readonly text?: string | undefined;
}

/**
 * What a lease's holder said about itself. Only for information: rely on the lease and its token.
 */
export interface LeaseHolder {
  /** The process id, in the holder's own PID namespace. */
  readonly pid: number;
  /** When it acquired the lease. */
  readonly since: Date;
  /** The token of its term. */
  readonly token: number;
  /** The text that it gave. */
  readonly text: string;
}

/**
 * How a term ended: "released" by `release` or `close`; "lost" when the lease's name was removed,
 * or stands for another object.
 */
export type LeaseEnd = "released" | "lost";

const CURRENT_WORD: number = LEASE_CURRENT_OFFSET >> 2;
const VERSION_WORD: number = LEASE_VERSION_OFFSET >> 2;
const TWO_TO_32 = 2 ** 32;
/** Tokens per millisecond of the clock that they start from: nobody acquires a lease more often. */
const TOKENS_PER_MS = 1000;
const ACQUIRE_OPTIONS: readonly string[] = ["text"];

/**
 * The time during which this process holds a lease; it ends when this is disposed of.
 *
 * The garbage collector never ends a term: one that is forgotten lasts until the handle of its
 * lease is closed or the process ends. A timer that checks the lease's name keeps it reachable, and
 * does not keep the process alive.
 */
export class LeaseTerm {
  /**
   * A number that is greater than that of every earlier term. Send it along with what the holder
   * writes elsewhere: a store that refuses smaller numbers is safe from a holder that was stopped
   * and has lost its lease without knowing it yet.
   */
  readonly token: number;
  /** Fulfilled when the term has ended; never rejected. */
  readonly ended: Promise<LeaseEnd>;
  #end: ((how: LeaseEnd) => void) | undefined;

  /** @internal */
  constructor(token: number, release: () => void) {
    this.token = token;
    const { promise, resolve } = Promise.withResolvers<LeaseEnd>();
    this.ended = promise;
    this.#end = (how) => {
      release();
      resolve(how);
    };
  }

  /** Whether the term lasts, and so this process holds the lease. */
  get held(): boolean {
    return this.#end !== undefined;
  }

  /** Ends the term, and wakes those who wait for the lease. Calling it again does nothing. */
  release(): void {
    this.end("released");
  }

  /** @internal */
  end(how: LeaseEnd): void {
    const end = this.#end;
    this.#end = undefined;
    end?.(how);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * A role that at most one live process has, for leader election on one machine.
 *
 * Any number of processes and threads may try to acquire it. The kernel knows whether the holder
 * lives, in whatever way it dies, and in whatever containers the processes live. There is no lease
 * time and no heartbeat: a process that is stopped (SIGSTOP, a debugger) keeps the role. A Worker
 * that ends or is terminated gives it up; processes of other PID namespaces notice that when its
 * process ends.
 *
 * A release wakes those who wait at once; they notice a death within 50 ms.
 *
 * What a crash leaves: the role free, and the last holder's token, so that the next one is greater.
 * Tokens start from a clock that nobody's setting moves, so they also grow when the name is removed
 * and the lease is made again; and across a restart of the machine, unless its clock goes back.
 *
 * Under `bun --hot`, opening the lease again in a newer load closes the handles of older loads, and
 * ends their term.
 *
 * @example
 * ```ts
 * using lease = Lease.openOrCreate("/leader");
 * const term = await lease.acquireAsync({ text: "worker 1", timeoutMs: 1000 });
 * if (term) {
 *   console.log(term.token, lease.holder?.text);
 *   term.release();
 * }
 * Lease.unlink("/leader");
 * ```
 */
export class Lease extends LockHandle {
  readonly #memory: LockMemory;
  readonly #view: DataView;
  readonly #lock: OwnedLock;
  readonly #line = new AsyncLine();
  #term: LeaseTerm | undefined;

  static #attach(placed: Placed): Lease {
    return takePlace(placed.segment, `lease at ${placed.offset}`, () => new Lease(placed));
  }

  static readonly #kind = new LockKind<Lease, object>({
    mark: LEASE_MARK,
    makes: [],
    finds: [],
    leastLength: LEASE_LENGTH,
    byteLength: () => LEASE_LENGTH,
    check() {},
    make: Lease.#attach,
    find: Lease.#attach,
  });

  private constructor(placed: Placed) {
    const memory = new LockMemory("Lease", placed, LEASE_LENGTH, LEASE_WAIT_POINT_OFFSET);
    super(memory);
    this.#memory = memory;
    this.#lock = new OwnedLock(placed.segment, placed.offset + LEASE_LOCK_OFFSET, placed.what);
    this.#view = new DataView(placed.segment.buffer, placed.offset, LEASE_LENGTH);
  }

  /** How many bytes a lease takes in a segment. */
  static byteLength(): number {
    return LEASE_LENGTH;
  }

  /**
   * Makes a lease in a new segment of that name. Does not block.
   *
   * @returns The lease, which nobody holds yet.
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments.
   */
  static create(name: string, options?: PlacedCreateOptions): Lease {
    return Lease.#kind.create(name, options);
  }

  /**
   * Finds the lease of that name. Blocks until the name appears, for `waitMs` at most, and while a
   * live process is making it, which `waitMs` bounds too (half a minute without it).
   *
   * @returns The lease.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when it is something else; StateError ENODATA when it is unfinished, and nobody
   *   makes it.
   */
  static open(name: string, options?: PlacedOpenOptions): Lease {
    return Lease.#kind.open(name, options);
  }

  /**
   * Finds the lease of that name, or makes it; `created` says which. Blocks while a live process is
   * making it, for half a minute at most.
   *
   * @returns The lease.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT.
   */
  static openOrCreate(name: string, options?: PlacedCreateOptions & OwnerOptions): Lease {
    return Lease.#kind.openOrCreate(name, options);
  }

  /**
   * Makes a lease inside a segment. Blocks only while another process is making one there, for a
   * second at most.
   *
   * @param offset Where it starts, in bytes from the segment's start; a multiple of 128.
   * @returns The lease, which nobody holds yet.
   * @throws StateError EEXIST when a lease exists there, EBUSY when another process takes over a
   *   second to make one; RangeError for a bad offset; TypeError for a bad option; LayoutError when
   *   something else is there.
   */
  static init(segment: Segment, offset: number, options?: PlacedInitOptions): Lease {
    return Lease.#kind.init(segment, offset, options);
  }

  /**
   * Finds the lease that was made there with `init`. Blocks until it is there, for a second at
   * most.
   *
   * @param offset Where it starts, in bytes from the segment's start.
   * @returns The lease.
   * @throws LayoutError when it is something else; StateError ENODATA when there is none.
   */
  static at(segment: Segment, offset: number, options?: object): Lease {
    return Lease.#kind.at(segment, offset, options);
  }

  /** This handle's term; undefined while it does not hold the lease. */
  get term(): LeaseTerm | undefined {
    return this.#term;
  }

  /**
   * Whether a live process holds the lease, this one included; stale the moment it returns.
   * @throws ClosedError.
   */
  get isHeld(): boolean {
    this.#memory.checkOpen();
    return this.#lock.isHeld;
  }

  /**
   * What the holder said about itself; undefined when nobody holds the lease, or the holder keeps
   * changing. Stale the moment it returns. @throws ClosedError.
   */
  get holder(): LeaseHolder | undefined {
    if (!this.isHeld) return undefined;
    for (let tries = 0; tries < STABLE_READ_TRIES; tries++) {
      const version = load(this.#memory.words, VERSION_WORD);
      if ((version & 1) !== 0) continue;
      const pid = this.#view.getUint32(LEASE_PID_OFFSET, true);
      const since = this.#view.getFloat64(LEASE_SINCE_OFFSET, true);
      const length = Math.min(
        this.#view.getUint32(LEASE_TEXT_LENGTH_OFFSET, true),
        MAX_LEASE_TEXT_LENGTH,
      );
      const text = Buffer.from(this.#textBytes.subarray(0, length)).toString();
      const token = this.#readToken();
      if (load(this.#memory.words, VERSION_WORD) === version)
        return { pid, since: new Date(since), token, text };
    }
    return undefined;
  }

  /**
   * Takes the lease if it is free; does not block.
   *
   * @returns The term; undefined when a live process holds the lease, this one included.
   * @throws StateError ESTALE when the name was removed, so that others would use a different
   *   lease.
   * @throws RangeError when the text is too long, or not well-formed; TypeError, ClosedError.
   */
  tryAcquire(options?: LeaseAcquireOptions): LeaseTerm | undefined {
    checkOptions(this.#action, options, ACQUIRE_OPTIONS);
    const text = this.#encode(options);
    return this.#start(this.#lock.tryLock(), text);
  }

  /**
   * Takes the lease, and blocks this thread until it is free. A holder's death is noticed within
   * 20 ms.
   *
   * @returns The term; undefined when the timeout passed.
   * @throws The errors of `tryAcquire`; the signal's reason when it is already aborted.
   */
  acquire(options?: LeaseAcquireOptions & WaitOptions): LeaseTerm | undefined {
    const timeoutMs = checkWait(this.#action, options, [...ACQUIRE_OPTIONS, ...WAIT_OPTIONS]);
    const text = this.#encode(options);
    let term: LeaseTerm | undefined;
    const ready = (): boolean => (term = this.#start(this.#lock.poll(), text)) !== undefined;
    // Each look is a system call, so spinning would cost more than it gains.
    this.#memory.wait(ready, { timeoutMs, strategy: "block" });
    return term;
  }

  /**
   * Takes the lease like `acquire`, without blocking the event loop. A holder's death is noticed
   * within 50 ms. Calls of one handle get it one after the other, in the order in which they were
   * made.
   *
   * @returns The term; undefined when the timeout passed.
   * @throws The errors of `acquire`, and the signal's reason as soon as it is aborted.
   */
  async acquireAsync(
    options?: LeaseAcquireOptions & AsyncWaitOptions,
  ): Promise<LeaseTerm | undefined> {
    checkWait(this.#action, options, [...ACQUIRE_OPTIONS, ...ASYNC_WAIT_OPTIONS]);
    const text = this.#encode(options);
    let term: LeaseTerm | undefined;
    const ready = (): boolean => (term = this.#start(this.#lock.poll(), text)) !== undefined;
    await this.#memory.waitAsync(ready, options, this.#line);
    return term;
  }

  /**
   * Ends the term, if there is one, and the use of this handle; the name stays. Pending
   * asynchronous waits of this handle are rejected with ClosedError. Calling it again does nothing.
   */
  override close(): void {
    this.#term?.release();
    super.close();
    this.#lock.close();
  }

  get #action(): string {
    return `Cannot acquire ${this.#memory.what}`;
  }

  /** @throws TypeError, RangeError. */
  #encode(options: LeaseAcquireOptions | undefined): Uint8Array {
    const text: unknown = options?.text ?? "";
    if (typeof text !== "string") {
      throw new TypeError(`${this.#action}: its text must be a string, not ${shown(text)}`);
    }
    checkWellFormed(this.#action, "its text", text);
    const bytes = new TextEncoder().encode(text);
    if (bytes.length <= MAX_LEASE_TEXT_LENGTH) return bytes;
    throw new RangeError(
      `${this.#action}: its text has ${bytes.length} bytes of UTF-8, and at most ` +
        `${MAX_LEASE_TEXT_LENGTH} are allowed`,
    );
  }

  /** Begins a term, if the try to take the lock succeeded. */
  #start(outcome: Outcome, text: Uint8Array): LeaseTerm | undefined {
    if (!isMine(outcome)) return undefined;
    try {
      this.#mustStand();
      return this.#startTerm(text);
    } catch (error) {
      this.#lock.letGo();
      throw error;
    }
  }

  get #textBytes(): Uint8Array {
    return new Uint8Array(
      this.#view.buffer,
      this.offset + LEASE_TEXT_OFFSET,
      MAX_LEASE_TEXT_LENGTH,
    );
  }

  #startTerm(text: Uint8Array): LeaseTerm {
    const token = Math.max(this.#readToken() + 1, Math.floor(steadyMs() * TOKENS_PER_MS));
    this.#writeToken(token);
    const version = load(this.#memory.words, VERSION_WORD) | 1;
    store(this.#memory.words, VERSION_WORD, version);
    this.#view.setUint32(LEASE_PID_OFFSET, process.pid, true);
    this.#view.setFloat64(LEASE_SINCE_OFFSET, Date.now(), true);
    this.#view.setUint32(LEASE_TEXT_LENGTH_OFFSET, text.length, true);
    this.#textBytes.set(text);
    store(this.#memory.words, VERSION_WORD, version + 1);

    const letGo = this.segment.hold(`the lease at ${this.offset}`);
    const timer = setInterval(() => {
      if (!this.#stands()) term.end("lost");
    }, NAME_CHECK_MS);
    timer.unref();
    const term = new LeaseTerm(token, () => {
      clearInterval(timer);
      this.#term = undefined;
      letGo();
      this.#lock.letGo();
      this.#memory.waitPoint.wake();
    });
    this.#term = term;
    return term;
  }

  /** Reads the current token. The holder writes the other one, so this is never half written. */
  #readToken(): number {
    const at = LEASE_TOKENS_OFFSET + (load(this.#memory.words, CURRENT_WORD) & 1) * 8;
    const low = this.#view.getUint32(at, true);
    return this.#view.getUint32(at + 4, true) * TWO_TO_32 + low;
  }

  #writeToken(token: number): void {
    const other = (load(this.#memory.words, CURRENT_WORD) & 1) ^ 1;
    const at = LEASE_TOKENS_OFFSET + other * 8;
    this.#view.setUint32(at, token % TWO_TO_32, true);
    this.#view.setUint32(at + 4, Math.floor(token / TWO_TO_32), true);
    store(this.#memory.words, CURRENT_WORD, other);
  }

  /** Whether the lease's segment still has its name, if it ever had one. */
  #stands(): boolean {
    try {
      return !this.segment.unlinked;
    } catch (error) {
      // Nobody may look at the name any more: that does not say that it is gone.
      if (error instanceof SystemError) return true;
      throw error;
    }
  }

  #mustStand(): void {
    if (this.#stands()) return;
    const why = "its name was removed, and may stand for another lease. Open it again";
    throw new StateError("ESTALE", `${this.#action}: ${why}`);
  }
}
