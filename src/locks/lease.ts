import { fstatSync } from "node:fs";
import {
  LEASE_CURRENT_OFFSET,
  LEASE_LENGTH,
  LEASE_MAGIC,
  LEASE_MAGIC_OFFSET,
  LEASE_PID_OFFSET,
  LEASE_SINCE_OFFSET,
  LEASE_TEXT_LENGTH_OFFSET,
  LEASE_TEXT_MAX,
  LEASE_TEXT_OFFSET,
  LEASE_TOKENS_OFFSET,
  LEASE_VERSION_OFFSET,
  LEASE_WAIT_POINT_OFFSET,
} from "../layout/lease-layout.ts";
import { E, fail } from "../libc/errno.ts";
import { load, store } from "../memory/atomics.ts";
import type { ByteLock } from "../memory/byte-lock.ts";
import { checkMagic } from "../segment/magic.ts";
import { placeWords } from "../segment/placement.ts";
import { Segment } from "../segment/segment.ts";
import { type AsyncWaitOptions, WaitPoint } from "../waiting/wait-point.ts";

/** What a holder says of itself. */
export interface LeaseAcquireOptions {
  /** Free text for `holder`, at most 320 bytes of UTF-8: a host, an address. Advisory only. */
  readonly text?: string;
}

/** What a lease's holder said of itself. Advisory: trust the lease, and the token. */
export interface LeaseHolder {
  /** The process id, in the holder's own PID namespace. */
  readonly pid: number;
  /** When it acquired the lease. */
  readonly since: Date;
  readonly token: number;
  readonly text: string;
}

/** How a term ended: by `release`, or because the name stands for another lease now. */
export type LeaseEnd = "released" | "lost";

const CURRENT: number = LEASE_CURRENT_OFFSET >> 2;
const VERSION: number = LEASE_VERSION_OFFSET >> 2;
const TWO_TO_32 = 2 ** 32;
/** How often, in ms, a holder looks whether the name still stands for its lease. */
const NAME_CHECK_MS = 1000;
/** Tries to read what a holder writes meanwhile. */
const READ_TRIES = 100;
const NOUN = "lease";

/** The time for which this process holds a lease. It is released when this is disposed. */
export class LeaseTerm {
  /**
   * A number greater than that of every term before. Send it along with what the holder writes
   * elsewhere: a storage that refuses smaller numbers is safe from a holder that was stopped, lost
   * its lease and does not know yet.
   */
  readonly token: number;
  /** Fulfilled when the term is over. */
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

  /** Whether this process holds the lease. */
  get held(): boolean {
    return this.#end !== undefined;
  }

  /** Ends the term, and wakes who waits for the lease; again is harmless. */
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
 * A role that at most one live process has: leader election on one machine.
 *
 * The kernel keeps the lock and passes it on when the holder dies, however it dies and whatever
 * containers the processes live in. There is no lease time and no heartbeat: a process that is
 * stopped (SIGSTOP, a debugger) keeps the role. A Worker holds it for its process: one that is
 * terminated without releasing keeps it until the process ends.
 *
 * An orderly release wakes those who wait at once; a death they find out within 250 ms.
 *
 * What a crash leaves: the role free, and the last holder's token, so that the next is greater.
 * Tokens start from the clock: they grow also across a restart of the machine.
 *
 * @example
 * ```ts
 * using lease = Lease.open("/leader");
 * const term = await lease.acquire({ text: "worker 1", timeoutMs: 1000 });
 * if (term) {
 *   console.log(term.token, lease.holder?.text);
 *   term.release();
 * }
 * Lease.unlink("/leader");
 * ```
 */
export class Lease {
  readonly #segment: Segment;
  readonly #offset: number;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #waitPoint: WaitPoint;
  readonly #ownsSegment: boolean;
  #term: LeaseTerm | undefined;

  private constructor(segment: Segment, offset: number, ownsSegment: boolean) {
    this.#segment = segment;
    this.#offset = offset;
    this.#words = placeWords(NOUN, segment, offset, LEASE_LENGTH);
    this.#view = new DataView(segment.buffer, offset, LEASE_LENGTH);
    this.#waitPoint = new WaitPoint(segment, offset + LEASE_WAIT_POINT_OFFSET);
    this.#ownsSegment = ownsSegment;
    this.#makeOrFind();
  }

  /**
   * The lease of this name; a segment of that name is made if there is none, and stays until
   * `Lease.unlink`.
   *
   * @param options.mode Permission bits of a new one. Default 0o600.
   * @throws SystemError, RangeError as `Segment.openOrCreate`; LayoutError when it is no lease.
   */
  static open(name: string, options: { mode?: number } = {}): Lease {
    const segment = Segment.openOrCreate(name, { ...options, size: LEASE_LENGTH });
    try {
      return new Lease(segment, 0, true);
    } catch (error) {
      segment.close();
      throw error;
    }
  }

  /**
   * The lease in `LEASE_LENGTH` bytes of a segment; in zeros it makes one, whoever comes first.
   *
   * @param offset Bytes from the segment's start, a multiple of 128; the kernel's lock on the byte
   *   of this number is taken, so no other structure of the segment may use it as a lock.
   * @throws LayoutError when something else lies there.
   */
  static at(segment: Segment, offset: number): Lease {
    return new Lease(segment, offset, false);
  }

  /** Removes a lease's name. Only when nobody holds or wants it: a new one is another lease. */
  static unlink(name: string): boolean {
    return Segment.unlink(name);
  }

  /** This handle's term, while it holds the lease. */
  get term(): LeaseTerm | undefined {
    return this.#term;
  }

  /** Whether a live process holds it, this one included; stale the moment it returns. */
  get isHeld(): boolean {
    return this.#segment.isLocked(this.#offset);
  }

  /** What the holder said of itself; undefined without one. Stale the moment it returns. */
  get holder(): LeaseHolder | undefined {
    if (!this.isHeld) return undefined;
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const version = load(this.#words, VERSION);
      if ((version & 1) !== 0) continue;
      const pid = this.#view.getUint32(LEASE_PID_OFFSET, true);
      const since = this.#view.getFloat64(LEASE_SINCE_OFFSET, true);
      const length = Math.min(this.#view.getUint32(LEASE_TEXT_LENGTH_OFFSET, true), LEASE_TEXT_MAX);
      const text = new TextDecoder().decode(this.#textBytes.slice(0, length));
      const token = this.#readToken();
      if (load(this.#words, VERSION) === version)
        return { pid, since: new Date(since), token, text };
    }
    return undefined;
  }

  /**
   * Takes the lease at once.
   *
   * @returns undefined when a live process has it, be it this one.
   * @throws SystemError ESTALE when the name was removed: nobody else would meet this lease.
   * @throws RangeError when the text is too long.
   */
  tryAcquire(options: LeaseAcquireOptions = {}): LeaseTerm | undefined {
    const text = new TextEncoder().encode(options.text ?? "");
    if (text.length > LEASE_TEXT_MAX) {
      throw new RangeError(
        `Cannot acquire a lease with a text of ${text.length} bytes: at most ${LEASE_TEXT_MAX}`,
      );
    }
    // A look costs less than a try, which opens the object anew.
    if (this.isHeld) return undefined;
    const lock = this.#segment.tryLock(this.#offset);
    if (lock === undefined) return undefined;
    try {
      this.#mustStand();
      return this.#startTerm(lock, text);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /**
   * Waits, without blocking the event loop, until this process has the lease.
   *
   * @returns undefined when the time was over. @throws As `tryAcquire`; what the signal gives.
   */
  async acquire(
    options: LeaseAcquireOptions & AsyncWaitOptions = {},
  ): Promise<LeaseTerm | undefined> {
    let term: LeaseTerm | undefined;
    await this.#waitPoint.waitAsync(() => {
      term = this.tryAcquire(options);
      return term !== undefined;
    }, options);
    return term;
  }

  /** Ends the term, if there is one, and this process's use. The name stays. */
  close(): void {
    this.#term?.release();
    if (this.#ownsSegment) this.#segment.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #textBytes(): Uint8Array {
    return new Uint8Array(this.#view.buffer, this.#offset + LEASE_TEXT_OFFSET, LEASE_TEXT_MAX);
  }

  /** Zeros become a lease, by one process at a time; one that dies half way leaves zeros. */
  #makeOrFind(): void {
    const index = LEASE_MAGIC_OFFSET >> 2;
    if (load(this.#words, index) === 0) {
      using lock = this.#segment.tryLock(this.#offset);
      // SYNC lease-made: pairs with the load in `checkMagic`.
      if (lock !== undefined && load(this.#words, index) === 0) {
        store(this.#words, index, LEASE_MAGIC);
      }
    }
    checkMagic(NOUN, this.#words, index, LEASE_MAGIC, this.#offset + LEASE_MAGIC_OFFSET);
  }

  #startTerm(lock: ByteLock, text: Uint8Array): LeaseTerm {
    const token = Math.max(this.#readToken() + 1, Date.now());
    this.#writeToken(token);
    const version = load(this.#words, VERSION) | 1;
    store(this.#words, VERSION, version);
    this.#view.setUint32(LEASE_PID_OFFSET, process.pid, true);
    this.#view.setFloat64(LEASE_SINCE_OFFSET, Date.now(), true);
    this.#view.setUint32(LEASE_TEXT_LENGTH_OFFSET, text.length, true);
    this.#textBytes.set(text);
    store(this.#words, VERSION, version + 1);

    const letGo = this.#segment.hold(`the lease at ${this.#offset}`);
    const timer = setInterval(() => {
      if (!this.#stands()) term.end("lost");
    }, NAME_CHECK_MS);
    timer.unref();
    const term = new LeaseTerm(token, () => {
      clearInterval(timer);
      this.#term = undefined;
      letGo();
      lock.close();
      this.#waitPoint.wake();
    });
    this.#term = term;
    return term;
  }

  /** Only the holder writes tokens: the one that counts is never half written. */
  #readToken(): number {
    const at = LEASE_TOKENS_OFFSET + (load(this.#words, CURRENT) & 1) * 8;
    const low = this.#view.getUint32(at, true);
    return this.#view.getUint32(at + 4, true) * TWO_TO_32 + low;
  }

  #writeToken(token: number): void {
    const other = (load(this.#words, CURRENT) & 1) ^ 1;
    const at = LEASE_TOKENS_OFFSET + other * 8;
    this.#view.setUint32(at, token % TWO_TO_32, true);
    this.#view.setUint32(at + 4, Math.floor(token / TWO_TO_32), true);
    store(this.#words, CURRENT, other);
  }

  /** Whether the name, if the lease has one, still stands for it. */
  #stands(): boolean {
    const { backing, descriptor } = this.#segment;
    if (descriptor === undefined || backing === "memfd") return true;
    return fstatSync(descriptor).nlink > 0;
  }

  #mustStand(): void {
    if (this.#stands()) return;
    const { name } = this.#segment;
    const hint = "The name was removed, and may stand for another lease. Open it again";
    fail(`Cannot acquire the lease in "${name}"`, -E.ESTALE, "fstat", name, hint);
  }
}
