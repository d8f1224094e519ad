import { chmodSync, statSync } from "node:fs";
import { INSIDE, checkInside, checkInteger, checkMode, checkOptions, shown } from "../arguments.ts";
import { ClosedError, LayoutError } from "../errors.ts";
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
import { mappedObject, objectKey } from "../memory/processes.ts";
import { checkPlace } from "../segment/placed.ts";
import type { Segment } from "../segment/segment.ts";
import { NAME_LOOK_MS, SLICE_MS } from "../waiting/limits.ts";
import { waitUntil } from "../waiting/patience.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkTimeout,
  checkWait,
} from "../waiting/wait-options.ts";
import { SemaphoreQueue } from "./semaphore-queue.ts";

/** How to make a semaphore. */
export interface SemaphoreInitOptions {
  /** Tokens to start with: an integer from 0 to SEM_VALUE_MAX (2^31 - 1). Default 0. */
  readonly value?: number | undefined;
}

/** How to make a named semaphore. */
export interface SemaphoreCreateOptions extends SemaphoreInitOptions {
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  readonly mode?: number | undefined;
}

/** How to attach to a named semaphore. */
export interface SemaphoreOpenOptions {
  /** Milliseconds to wait, blocking this thread, for the name to appear. Default 0. */
  readonly waitMs?: number | undefined;
}

/** sem_t holds a 64-bit word, which must not straddle. */
const ALIGNMENT = 8;
const CREATE_OPTIONS: readonly string[] = ["value", "mode"];

let asyncWaits = 0;
const forgotten: FinalizationRegistry<number> = new FinalizationRegistry(semClose);

/**
 * A POSIX counting semaphore, by name or inside a segment; C programs use the same ones.
 *
 * `post` adds tokens, `wait` takes one. Any number of processes and threads may use it at once. It
 * has no owner: a process that is killed between its wait and its post takes the token with it,
 * and nobody learns of it. A lock that must survive that is a `Mutex`, or a `SystemVSemaphore`.
 *
 * @example
 * ```ts
 * using jobs = Semaphore.create("/jobs", { value: 0 });
 * jobs.post(); // here or in another process
 * if (jobs.wait({ timeoutMs: 1000 })) console.log("one job");
 * jobs.unlink();
 * ```
 */
export class Semaphore {
  /** The semaphore's name; of one that lies in a segment, the segment's. */
  readonly name: string;
  /** The segment in which it lies; undefined for a named one, which has memory of its own. */
  readonly segment: Segment | undefined;
  /** Bytes from the segment's start; undefined for a named one. */
  readonly offset: number | undefined;
  /** Whether this handle made the semaphore. */
  readonly created: boolean;
  /** For messages: `semaphore "/x"`. @internal */
  readonly what: string;

  /** Address of a named semaphore, 0 once closed; offset of one in a segment, -1 once closed. */
  #place: number;
  readonly #queue: SemaphoreQueue;

  private constructor(
    inside: typeof INSIDE,
    name: string,
    place: number,
    created: boolean,
    segment?: Segment,
  ) {
    checkInside(inside === INSIDE, "Semaphore");
    this.name = name;
    this.segment = segment;
    this.offset = segment === undefined ? undefined : place;
    this.created = created;
    this.what =
      segment === undefined
        ? `semaphore ${shown(name)}`
        : `semaphore at ${place} in segment ${shown(name)}`;
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
    const action = checkCreate(name, options);
    const address = createNamed(name, options);
    if (address >= 0) return new Semaphore(INSIDE, name, address, true);
    const hint = "Use Semaphore.open or Semaphore.openOrCreate, or remove it with Semaphore.unlink";
    return fail(action, address, "sem_open", name, address === -E.EEXIST ? hint : undefined);
  }

  /**
   * Attaches to a named semaphore. Blocks for `waitMs` at most, until the name appears.
   *
   * @throws SystemError ENOENT when there is none, EACCES, EMFILE; RangeError, TypeError.
   */
  static open(name: string, options: SemaphoreOpenOptions = {}): Semaphore {
    checkObjectName(name, "semaphore", SEMAPHORE_NAME_MAX);
    const action = `Cannot open semaphore ${shown(name)}`;
    checkOptions(action, options, ["waitMs"]);
    const timeoutMs = checkTimeout(options.waitMs ?? 0, "waitMs");
    const look = (): number | undefined => {
      const address = semOpen(name, 0, 0, 0);
      return address === -E.ENOENT ? undefined : address;
    };
    const address = waitUntil(look, { timeoutMs, everyMs: NAME_LOOK_MS }) ?? -E.ENOENT;
    if (address >= 0) return new Semaphore(INSIDE, name, address, false);
    const hint = "Create it first, or use Semaphore.openOrCreate";
    return fail(action, address, "sem_open", name, address === -E.ENOENT ? hint : undefined);
  }

  /**
   * Attaches to a named semaphore if there is one, else makes it; `created` tells which. One that
   * is there keeps its tokens, which say nothing of those that it started with, and its mode. Does
   * not block.
   *
   * @throws As `create` and `open`, but for EEXIST and ENOENT.
   */
  static openOrCreate(name: string, options: SemaphoreCreateOptions = {}): Semaphore {
    const action = checkCreate(name, options);
    for (;;) {
      const made = createNamed(name, options);
      if (made >= 0) return new Semaphore(INSIDE, name, made, true);
      if (made !== -E.EEXIST) fail(action, made, "sem_open", name);
      const found = semOpen(name, 0, 0, 0);
      if (found >= 0) return new Semaphore(INSIDE, name, found, false);
      // Somebody removed it between the two attempts: begin again.
      if (found !== -E.ENOENT)
        fail(`Cannot open semaphore ${shown(name)}`, found, "sem_open", name);
    }
  }

  /**
   * Removes a name. Processes that have the semaphore open keep it. Does not block.
   *
   * @returns Whether there was one.
   * @throws SystemError EACCES, EPERM; RangeError, TypeError for a bad name.
   */
  static unlink(name: string): boolean {
    checkObjectName(name, "semaphore", SEMAPHORE_NAME_MAX);
    const result = semUnlink(name);
    if (result < 0 && result !== -E.ENOENT) {
      fail(`Cannot unlink semaphore ${shown(name)}`, result, "sem_unlink", name);
    }
    return result >= 0;
  }

  /** Bytes that one takes inside a segment, on every platform: 32. */
  static byteLength(): number {
    return SEM_LENGTH;
  }

  /**
   * Makes a semaphore inside a segment, whatever was there before: a semaphore cannot be told from
   * other bytes, so one that is there is not noticed. Nobody may be waiting on it. Does not block.
   *
   * @param offset First of its `byteLength()` bytes; a multiple of 8.
   * @throws RangeError when the place or the value is impossible; TypeError on a read-only segment.
   * @throws SystemError ENOSYS on macOS, which has named ones only; ClosedError.
   */
  static init(segment: Segment, offset: number, options: SemaphoreInitOptions = {}): Semaphore {
    const semaphore = Semaphore.#placed(segment, offset, true);
    const action = `Cannot make ${semaphore.what}`;
    checkOptions(action, options, ["value"]);
    const result = semInit(semaphore.address, checkValue(action, options.value));
    if (result < 0) fail(action, result, "sem_init", segment.name);
    return semaphore;
  }

  /**
   * Attaches to a semaphore that `init`, or `sem_init` in C, made in a segment. Bytes that are no
   * semaphore cannot be told from one: whoever shares the segment vouches for it. Does not block.
   *
   * @throws RangeError when the place is impossible; TypeError on a read-only segment; ClosedError.
   */
  static at(segment: Segment, offset: number): Semaphore {
    return Semaphore.#placed(segment, offset, false);
  }

  static #placed(segment: Segment, offset: number, created: boolean): Semaphore {
    checkPlace({ noun: "semaphore", readable: false }, segment, offset, SEM_LENGTH, ALIGNMENT);
    return new Semaphore(INSIDE, segment.name, offset, created, segment);
  }

  /** Whether `close()` was called, or its segment is closed. */
  get closed(): boolean {
    return this.segment === undefined ? this.#place === 0 : this.#place < 0 || this.segment.closed;
  }

  /** Where it is, for libc, at this moment. @throws ClosedError. @internal */
  get address(): number {
    const place = this.#place;
    const { segment } = this;
    if (segment === undefined) {
      if (place === 0) throw new ClosedError(this.what);
      return place;
    }
    if (place < 0 || segment.closed) throw new ClosedError(this.what);
    const { address, buffer } = segment.mapping;
    if (place + SEM_LENGTH <= buffer.byteLength) return address + place;
    throw new LayoutError(`Cannot use ${this.what}: its segment was cut off`, {
      expected: `${SEM_LENGTH} bytes`,
      found: `the segment's end at ${buffer.byteLength}`,
      offset: place,
    });
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
   *   Default 1.
   * @throws SystemError EOVERFLOW at the highest possible value; the message says how many of the
   *   `count` were added. RangeError, TypeError for a bad count; ClosedError.
   */
  post(count = 1): void {
    const { address } = this;
    if (count === 1) {
      const result = semPost(address);
      if (result < 0) this.#failPost(result, 0, 1);
      return;
    }
    checkInteger(`Cannot post ${this.what}`, "the count", count, 1, C.SEM_VALUE_MAX);
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
   * @returns false when the time was over.
   * @throws The signal's reason when it is aborted already; RangeError, TypeError, ClosedError.
   */
  wait(options?: WaitOptions): boolean {
    const timeoutMs =
      options === undefined ? Number.POSITIVE_INFINITY : this.#checkWait(options, WAIT_OPTIONS);
    if (this.tryWait()) return true;
    if (timeoutMs === 0) return false;
    const deadline = monotonicMs() + timeoutMs;
    for (;;) {
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      if (this.waitSlice(Math.min(left, SLICE_MS))) return true;
      options?.signal?.throwIfAborted();
    }
  }

  #checkWait(options: AsyncWaitOptions, known: readonly string[]): number {
    return checkWait(`Cannot wait for ${this.what}`, options, known);
  }

  /** One uninterrupted sleep. @returns Whether it took a token. @internal */
  waitSlice(sliceMs: number): boolean {
    const result = semWaitSlice(this.address, sliceMs);
    if (result >= 0) return true;
    if (result === -E.ETIMEDOUT || result === -E.EINTR) return false;
    return fail(`Cannot wait for ${this.what}`, result, "sem_timedwait", this.name);
  }

  /**
   * Takes a token, and lets the event loop go on until there is one. A thread sleeps in its stead,
   * so nothing is polled; the wait keeps the process alive unless `ref` is false. The waits of one
   * handle are served in order.
   *
   * A token that arrives while the wait is being given up is posted back. A process that ends while
   * it waits may take one with it.
   *
   * @returns false when the time was over.
   * @throws The signal's reason when it is aborted; ClosedError, also when closed meanwhile;
   *   RangeError, TypeError.
   */
  async waitAsync(options: AsyncWaitOptions = {}): Promise<boolean> {
    this.#checkWait(options, ASYNC_WAIT_OPTIONS);
    return await this.#queue.wait(options);
  }

  /**
   * As `tryWait`, for a block: the token is posted back at its end.
   *
   * @returns undefined when there is none. @throws ClosedError.
   */
  tryAcquire(): Disposable | undefined {
    return this.tryWait() ? this.#token() : undefined;
  }

  /**
   * As `wait`, for a block: the token is posted back at its end. One whose guard is forgotten is
   * never posted back.
   *
   * @returns undefined when the time was over. @throws As `wait`.
   *
   * @example
   * ```ts
   * using slots = Semaphore.openOrCreate("/slots", { value: 3 });
   * using slot = slots.acquire({ timeoutMs: 100 });
   * console.log(slot === undefined ? "busy" : "mine until the end of the block");
   * slots.unlink();
   * ```
   */
  acquire(options?: WaitOptions): Disposable | undefined {
    return this.wait(options) ? this.#token() : undefined;
  }

  /** As `waitAsync`, for a block, as in `acquire`. @throws As `waitAsync`. */
  async acquireAsync(options: AsyncWaitOptions = {}): Promise<Disposable | undefined> {
    return (await this.waitAsync(options)) ? this.#token() : undefined;
  }

  #token(): Disposable {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.post();
        held = false;
      },
    };
  }

  /**
   * Removes the name, if it still stands for this semaphore, as far as the system shows that; of
   * one in a segment, the segment's. Does not block.
   *
   * @returns Whether this call did.
   * @throws SystemError EACCES, EPERM; ClosedError after `close()`: use `Semaphore.unlink` then.
   */
  unlink(): boolean {
    const { address } = this;
    if (this.segment !== undefined) return this.segment.unlink();
    const file = fileOf(this.name);
    if (file !== undefined) {
      const stat = statSync(file, { throwIfNoEntry: false });
      if (stat === undefined) return false;
      if (objectKey(stat.dev, stat.ino) !== mappedObject(address)) return false;
    }
    return Semaphore.unlink(this.name);
  }

  /**
   * Ends this handle's use; the semaphore stays. A second call is harmless. Waits of `waitAsync`
   * are rejected with ClosedError; while there are any it blocks until their thread has let go,
   * about 50 ms.
   */
  close(): void {
    if (this.closed) return;
    this.#queue.close(new ClosedError(this.what));
    const place = this.#place;
    if (this.segment === undefined) {
      this.#place = 0;
      forgotten.unregister(this);
      semClose(place);
    } else {
      this.#place = -1;
    }
  }

  /**
   * Keeps the memory under a wait of another thread.
   * @returns The end of it. @throws ClosedError. @internal
   */
  hold(): () => void {
    if (this.closed) throw new ClosedError(this.what);
    // Each hold has a name of its own, since handles of one semaphore end theirs independently.
    return this.segment?.hold(`waitAsync number ${++asyncWaits} of a semaphore`) ?? (() => {});
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @returns What is about to be done. @throws RangeError, TypeError. */
function checkCreate(name: string, options: SemaphoreCreateOptions): string {
  checkObjectName(name, "semaphore", SEMAPHORE_NAME_MAX);
  const action = `Cannot create semaphore ${shown(name)}`;
  checkOptions(action, options, CREATE_OPTIONS);
  checkValue(action, options.value);
  if (options.mode !== undefined) checkMode(action, options.mode);
  return action;
}

function checkValue(action: string, value: number | undefined): number {
  return value === undefined ? 0 : checkInteger(action, "its value", value, 0, C.SEM_VALUE_MAX);
}

/** @returns The address, or a negated errno. */
function createNamed(name: string, { value = 0, mode }: SemaphoreCreateOptions): number {
  const address = semOpen(name, C.O_CREAT | C.O_EXCL, mode ?? 0o600, value);
  const file = address >= 0 && mode !== undefined ? fileOf(name) : undefined;
  // Where there is no file the umask has its way.
  if (file !== undefined) chmodSync(file, mode!);
  return address;
}

/**
 * The file that shows a named semaphore: glibc keeps /x in sem.x, musl in x; undefined where the
 * system shows none.
 */
function fileOf(name: string): string | undefined {
  const directory = PLATFORM?.directory;
  if (directory === undefined) return undefined;
  const [glibc, musl] = [`${directory}/sem.${name.slice(1)}`, `${directory}${name}`];
  return statSync(glibc, { throwIfNoEntry: false }) === undefined ? musl : glibc;
}
