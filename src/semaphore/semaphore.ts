import { chmodSync } from "node:fs";
import { ClosedError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { C, PLATFORM } from "../libc/platform.ts";
import {
  SEM_LENGTH,
  semClose,
  semGetValue,
  semInit,
  semOpen,
  semPost,
  semTryWait,
  semUnlink,
  semWaitSlice,
} from "../libc/semaphore.ts";
import { monotonicMs } from "../libc/time.ts";
import { SEMAPHORE_NAME_MAX, checkObjectName } from "../memory/objects/object-name.ts";
import type { Segment } from "../segment/segment.ts";
import type { AbortSignalLike } from "../waiting/abort-signal.ts";
import { SemaphoreQueue } from "./semaphore-queue.ts";
import { checkTimeout } from "../waiting/wait-options.ts";

/** How to make a semaphore. */
export interface SemaphoreInitOptions {
  /** Tokens to start with: an integer from 0 to SEM_VALUE_MAX (2^31 - 1). Default 0. */
  value?: number;
}

/** How to make a named semaphore. */
export interface SemaphoreCreateOptions extends SemaphoreInitOptions {
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  mode?: number;
}

/** How long a blocking wait lasts. */
export interface SemaphoreWaitOptions {
  /** Milliseconds; 0 only tries. Default: for ever. */
  readonly timeoutMs?: number;
}

/** How long a wait in the event loop lasts. */
export interface SemaphoreAsyncWaitOptions extends SemaphoreWaitOptions {
  /** Ends the wait: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
}

/** The longest uninterrupted sleep, in ms: signals and thread termination take effect after it. */
const SLICE_MS = 50;
/** sem_t holds a 64-bit word, which must not straddle. */
const ALIGNMENT = 8;

let asyncWaits = 0;
const forgotten: FinalizationRegistry<number> = new FinalizationRegistry(semClose);

/**
 * A POSIX counting semaphore, by name or inside a segment; C programs use the same ones.
 *
 * `post` adds tokens, `wait` takes one. Any number of processes and threads may use it at once. It
 * has no owner: a process that is killed between its wait and its post takes the token with it,
 * and nobody is told. A lock that must survive that needs more than a semaphore.
 *
 * @example
 * ```ts
 * using jobs = Semaphore.create("/jobs", { value: 0 });
 * jobs.post(); // here or in another process
 * if (jobs.wait({ timeoutMs: 1000 })) console.log("one job");
 * Semaphore.unlink("/jobs");
 * ```
 */
export class Semaphore {
  /** The semaphore's name; undefined when it lies in a segment. */
  readonly name: string | undefined;
  /** Whether this handle made the semaphore. */
  readonly created: boolean;

  readonly #segment: Segment | undefined;
  /** Address of a named semaphore, 0 once closed; offset of one in a segment, -1 once closed. */
  #place: number;
  readonly #queue: SemaphoreQueue;

  private constructor(
    name: string | undefined,
    place: number,
    created: boolean,
    segment?: Segment,
  ) {
    this.name = name;
    this.created = created;
    this.#segment = segment;
    this.#place = place;
    this.#queue = new SemaphoreQueue(this);
    if (segment === undefined) forgotten.register(this, place, this);
  }

  /**
   * Makes a named semaphore that must not exist. Does not block.
   *
   * @throws SystemError EEXIST, EACCES, EMFILE, ENOSPC; RangeError, TypeError for bad arguments.
   */
  static create(name: string, options: SemaphoreCreateOptions = {}): Semaphore {
    const hint = "Use Semaphore.open or Semaphore.openOrCreate, or remove it with Semaphore.unlink";
    const address = createNamed(name, options);
    if (address >= 0) return new Semaphore(name, address, true);
    return fail(
      `Cannot create semaphore "${name}"`,
      address,
      "sem_open",
      name,
      address === -E.EEXIST ? hint : undefined,
    );
  }

  /** Attaches to a named semaphore. Does not block. @throws SystemError ENOENT, EACCES, EMFILE. */
  static open(name: string): Semaphore {
    checkObjectName(name, "semaphore", SEMAPHORE_NAME_MAX);
    const address = semOpen(name, 0, 0, 0);
    if (address >= 0) return new Semaphore(name, address, false);
    const hint = "Create it first, or use Semaphore.openOrCreate";
    return fail(
      `Cannot open semaphore "${name}"`,
      address,
      "sem_open",
      name,
      address === -E.ENOENT ? hint : undefined,
    );
  }

  /**
   * Attaches to a named semaphore if there is one, which keeps its value and mode, else makes it;
   * `created` tells which. @throws As `create` and `open`, but for EEXIST and ENOENT.
   */
  static openOrCreate(name: string, options: SemaphoreCreateOptions = {}): Semaphore {
    for (;;) {
      const made = createNamed(name, options);
      if (made >= 0) return new Semaphore(name, made, true);
      if (made !== -E.EEXIST) fail(`Cannot create semaphore "${name}"`, made, "sem_open", name);
      const found = semOpen(name, 0, 0, 0);
      if (found >= 0) return new Semaphore(name, found, false);
      // Somebody removed it between the two attempts: begin again.
      if (found !== -E.ENOENT) fail(`Cannot open semaphore "${name}"`, found, "sem_open", name);
    }
  }

  /**
   * Removes a name. Processes that have the semaphore open keep it. @returns Whether there was one.
   * @throws SystemError EACCES, EPERM.
   */
  static unlink(name: string): boolean {
    checkObjectName(name, "semaphore", SEMAPHORE_NAME_MAX);
    const result = semUnlink(name);
    if (result < 0 && result !== -E.ENOENT) {
      fail(`Cannot unlink semaphore "${name}"`, result, "sem_unlink", name);
    }
    return result >= 0;
  }

  /**
   * Makes a semaphore inside a segment, whatever was there before; nobody may be waiting on it.
   *
   * @param offset First of its 32 bytes (64 leave room for every platform); a multiple of 8.
   * @throws RangeError when the place or the value is impossible; TypeError on a read-only segment.
   * @throws SystemError ENOSYS on macOS, which has named ones alone.
   */
  static init(segment: Segment, offset: number, options: SemaphoreInitOptions = {}): Semaphore {
    const semaphore = Semaphore.#placed(segment, offset, true);
    const value = checkValue(options.value);
    const result = semInit(semaphore.address, value);
    if (result < 0) fail(`Cannot make ${semaphore.what}`, result, "sem_init", segment.name);
    return semaphore;
  }

  /**
   * Attaches to a semaphore that `init`, or `sem_init` in C, made in a segment. Bytes that are no
   * semaphore cannot be told from one: whoever shares the segment vouches for it.
   *
   * @throws RangeError when the place is impossible; TypeError on a read-only segment.
   */
  static at(segment: Segment, offset: number): Semaphore {
    return Semaphore.#placed(segment, offset, false);
  }

  static #placed(segment: Segment, offset: number, created: boolean): Semaphore {
    const { byteLength } = segment.buffer;
    const where = `Cannot place a semaphore at ${String(offset)} in segment "${segment.name}"`;
    if (segment.access === "read") {
      throw new TypeError(`${where}: the segment was opened for reading only`);
    }
    if (!Number.isSafeInteger(offset) || offset < 0 || offset % ALIGNMENT !== 0) {
      throw new RangeError(`${where}: it must be a multiple of ${ALIGNMENT}`);
    }
    if (offset + SEM_LENGTH > byteLength) {
      throw new RangeError(`${where}: it needs ${SEM_LENGTH} bytes, and ${byteLength} are mapped`);
    }
    return new Semaphore(undefined, offset, created, segment);
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#segment === undefined ? this.#place === 0 : this.#place < 0;
  }

  /** How messages call it. @internal */
  get what(): string {
    if (this.#segment === undefined) return `semaphore "${this.name}"`;
    return `the semaphore in segment "${this.#segment.name}"`;
  }

  /** Where it is, for libc, at this moment. @throws ClosedError. @internal */
  get address(): number {
    const place = this.#place;
    if (this.#segment === undefined) {
      if (place === 0) throw new ClosedError(this.what);
      return place;
    }
    if (place < 0) throw new ClosedError(this.what);
    const { address, buffer } = this.#segment.mapping;
    if (place + SEM_LENGTH <= buffer.byteLength) return address + place;
    throw new RangeError(`Cannot use ${this.what}: offset ${place} is cut off now`);
  }

  /**
   * How many tokens there are; stale the moment it returns.
   * @throws SystemError ENOSYS on macOS. @throws ClosedError.
   */
  get value(): number {
    const result = semGetValue(this.address);
    if (result < 0) fail(`Cannot read the value of ${this.what}`, result, "sem_getvalue");
    return result;
  }

  /**
   * Adds tokens, and wakes as many waiters. Does not block.
   *
   * @param count How many, one after the other: others may take the first before the last is there.
   * @throws SystemError EOVERFLOW at the highest possible value; the message says how many of the
   *   `count` were added. @throws RangeError for a bad count. @throws ClosedError.
   */
  post(count = 1): void {
    const { address } = this;
    if (count === 1) {
      const result = semPost(address);
      if (result < 0) this.#failPost(result, 0, 1);
      return;
    }
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new RangeError(
        `Cannot post ${this.what} ${String(count)} times: it must be an integer above 0`,
      );
    }
    for (let done = 0; done < count; done++) {
      const result = semPost(address);
      if (result < 0) this.#failPost(result, done, count);
    }
  }

  #failPost(result: number, done: number, count: number): never {
    const hint =
      result === -E.EOVERFLOW
        ? `${done} of ${count} tokens were added, and its value is the highest possible, ` +
          `${C.SEM_VALUE_MAX}`
        : undefined;
    return fail(`Cannot post ${this.what}`, result, "sem_post", this.name, hint);
  }

  /** Takes a token if there is one, at once. @returns Whether it did. @throws ClosedError. */
  tryWait(): boolean {
    const result = semTryWait(this.address);
    if (result >= 0) return true;
    if (result === -E.EAGAIN || result === -E.EINTR) return false;
    return fail(`Cannot wait for ${this.what}`, result, "sem_trywait", this.name);
  }

  /**
   * Takes a token, and blocks this thread until there is one.
   *
   * It sleeps in slices of 50 ms on the monotonic clock, so that the thread can be terminated.
   * Signal handlers in JavaScript run only after it returns: an untimed wait is for threads that
   * have nothing else to do, `waitAsync` for the others.
   *
   * @returns false when the time was over. @throws RangeError, ClosedError.
   */
  wait(options: SemaphoreWaitOptions = {}): boolean {
    const timeoutMs = checkTimeout(options.timeoutMs);
    if (this.tryWait()) return true;
    if (timeoutMs === 0) return false;
    const deadline = monotonicMs() + timeoutMs;
    for (;;) {
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      if (this.waitSlice(Math.min(left, SLICE_MS))) return true;
    }
  }

  /** One uninterrupted sleep. @returns Whether it took a token. @internal */
  waitSlice(sliceMs: number): boolean {
    const result = semWaitSlice(this.address, sliceMs);
    if (result >= 0) return true;
    if (result === -E.ETIMEDOUT || result === -E.EINTR) return false;
    return fail(`Cannot wait for ${this.what}`, result, "sem_timedwait", this.name);
  }

  /**
   * As `wait`; the token is posted back at the end of the block.
   *
   * @example
   * ```ts
   * using slots = Semaphore.openOrCreate("/slots", { value: 3 });
   * using slot = slots.acquire({ timeoutMs: 100 });
   * console.log(slot === undefined ? "busy" : "mine until the end of the block");
   * Semaphore.unlink("/slots");
   * ```
   * @returns undefined when the time was over. @throws RangeError, ClosedError.
   */
  acquire(options: SemaphoreWaitOptions = {}): Disposable | undefined {
    if (!this.wait(options)) return undefined;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.post();
        held = false;
      },
    };
  }

  /**
   * Takes a token, and lets the event loop go on until there is one. A thread sleeps in its stead,
   * so nothing is polled; the wait keeps the process alive. One handle's waits are served in order.
   *
   * A token that arrives while the wait is being given up is posted back. A process that ends while
   * it waits may take one with it.
   *
   * @returns false when the time was over.
   * @throws The signal's reason when it is aborted; ClosedError, also when closed meanwhile.
   */
  waitAsync(options: SemaphoreAsyncWaitOptions = {}): Promise<boolean> {
    return this.#queue.wait(options);
  }

  /**
   * Ends this handle's use; the semaphore stays. Again is harmless. Waits of `waitAsync` are
   * rejected with ClosedError; while there are any it blocks until their thread has let go, about
   * 50 ms.
   */
  close(): void {
    if (this.closed) return;
    this.#queue.close(new ClosedError(this.what));
    const place = this.#place;
    if (this.#segment === undefined) {
      this.#place = 0;
      forgotten.unregister(this);
      semClose(place);
    } else {
      this.#place = -1;
    }
  }

  /** Keeps the memory under a wait of another thread. @returns The end of it. @internal */
  hold(): () => void {
    // Each hold has a name of its own, since handles of one semaphore end theirs independently.
    return this.#segment?.hold(`waitAsync number ${++asyncWaits} of a semaphore`) ?? (() => {});
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @returns The address, or a negated errno. */
function createNamed(name: string, options: SemaphoreCreateOptions): number {
  checkObjectName(name, "semaphore", SEMAPHORE_NAME_MAX);
  const value = checkValue(options.value);
  const { mode = 0o600 } = options;
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777) {
    throw new RangeError(
      `Cannot create semaphore "${name}" with mode ${String(mode)}: it must be from 0 to 0o777`,
    );
  }
  const address = semOpen(name, C.O_CREAT | C.O_EXCL, mode, value);
  if (address >= 0 && options.mode !== undefined) setMode(name, mode);
  return address;
}

/** glibc keeps the semaphore /x in the file sem.x, musl in x; elsewhere the umask has its way. */
function setMode(name: string, mode: number): void {
  const directory = PLATFORM?.directory;
  if (directory === undefined) return;
  const bare = name.slice(1);
  for (const file of [`sem.${bare}`, bare]) {
    try {
      return chmodSync(`${directory}/${file}`, mode);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
  }
}

function checkValue(value = 0): number {
  if (Number.isInteger(value) && value >= 0 && value <= C.SEM_VALUE_MAX) return value;
  throw new RangeError(
    `Cannot make a semaphore with the value ${String(value)}: it must be an integer from 0 to ` +
      `${C.SEM_VALUE_MAX}`,
  );
}
