import { INSIDE, checkInside, checkInteger, checkMode, checkOptions, shown } from "../arguments.ts";
import { ClosedError, LayoutError, StateError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { C, PLATFORM } from "../libc/platform.ts";
import { SEM_LENGTH, semInit } from "../libc/semaphore.ts";
import { monotonicMs } from "../libc/time.ts";
import { SEMAPHORE_NAME_MAX, checkObjectName } from "../memory/objects/object-name.ts";
import { type OwnerOptions, checkOwnerOption } from "../memory/objects/owner.ts";
import { roomHint } from "../memory/objects/room.ts";
import { checkPlace } from "../segment/place.ts";
import type { Segment } from "../segment/segment.ts";
import { SLICE_MS } from "../waiting/limits.ts";
import { waitForName } from "../waiting/patience.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkWait,
} from "../waiting/wait-options.ts";
import { heldToken } from "./held-token.ts";
import {
  hintOfOtherNamed,
  isNameOf,
  makeNamed,
  openNamed,
  unlinkNamed,
} from "./named-semaphore.ts";
import { SemaphoreBytes } from "./semaphore-bytes.ts";
import { SemaphoreWaiters } from "./semaphore-waiters.ts";
import { CountedMemory, type WaitMemory, memoryIn } from "../waiting/wait-memory.ts";

/** How to make a semaphore. */
export interface SemaphoreInitOptions {
  /** How many tokens it starts with, from 0 to SEM_VALUE_MAX (2^31 - 1). Default 0. */
  readonly value?: number | undefined;
}

/** How to make a named semaphore. */
export interface SemaphoreCreateOptions extends SemaphoreInitOptions {
  /**
   * Permission bits, which it has from the first instant, whatever the umask. Default 0o600: this
   * user only.
   */
  readonly mode?: number | undefined;
}

/** How to attach to a named semaphore. */
export interface SemaphoreOpenOptions extends OwnerOptions {
  /** Milliseconds to wait, blocking this thread, for the name to appear. Default 0. */
  readonly waitMs?: number | undefined;
}

/** sem_t contains a 64-bit word, which must be naturally aligned. */
const ALIGNMENT = 8;
const CREATE_OPTIONS: readonly string[] = ["value", "mode"];
/** What to do when the room of semaphores is used up. */
const ROOM_WAY = "Remove what is not needed there, or mount it larger";

const forgotten: FinalizationRegistry<CountedMemory> = new FinalizationRegistry((memory) =>
  memory.leave(),
);

/**
 * A POSIX counting semaphore, with a name or inside a segment, which C programs can use too.
 *
 * `post` adds tokens, and `wait` takes one. Any number of processes and threads may use it at once.
 *
 * It trusts its bytes, since whoever may write them may post and take. What cannot be the bytes of
 * a semaphore that processes share is a LayoutError, whichever call finds it: one that another libc
 * made, one of a single process, a value that is out of range. With glibc nothing that others write
 * does more than that. Elsewhere libc works on the same bytes, and may read what was changed after
 * the look.
 *
 * What a crash leaves: the tokens as they were. A semaphore has no owner: the token of a process
 * that is killed between its wait and its post is lost, and nobody is notified. A lock that must
 * survive that is a `Mutex` or a `SystemVSemaphore`.
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
  /** The semaphore's name, or the name of the segment that it lies in. */
  readonly name: string;
  /** The segment that it lies in; undefined for a named one, which has memory of its own. */
  readonly segment: Segment | undefined;
  /** Where it lies, in bytes from the segment's start; undefined for a named one. */
  readonly offset: number | undefined;
  /** Whether this handle made the semaphore. */
  readonly created: boolean;
  /** For messages: `semaphore "/x"`. @internal */
  readonly what: string;

  /** The memory of a named semaphore; one in a segment has the segment's. */
  readonly #memory: CountedMemory | undefined;
  /** Its address; 0 for one in a segment, which may be mapped again. */
  readonly #namedAddress: number;
  readonly #waiters: SemaphoreWaiters;
  readonly #bytes: SemaphoreBytes;
  #closed = false;

  /** @param place The memory of a named semaphore, or where one lies in a segment. */
  private constructor(
    inside: typeof INSIDE,
    name: string,
    place: CountedMemory | { readonly segment: Segment; readonly offset: number },
    created: boolean,
  ) {
    checkInside(inside === INSIDE, "Semaphore");
    this.name = name;
    this.created = created;
    this.#bytes = new SemaphoreBytes(this);
    this.#waiters = new SemaphoreWaiters(this);
    if (place instanceof CountedMemory) {
      this.what = `semaphore ${shown(name)}`;
      this.#memory = place.enter();
      this.#namedAddress = place.address;
      forgotten.register(this, place, this);
    } else {
      this.segment = place.segment;
      this.offset = place.offset;
      this.what = `semaphore at ${place.offset} in segment ${shown(name)}`;
      this.#namedAddress = 0;
    }
  }

  /**
   * Makes a named semaphore. Does not block.
   *
   * @returns The semaphore.
   * @throws SystemError EEXIST when the name is taken, EACCES, EMFILE, ENOSPC; RangeError,
   *   TypeError for bad arguments.
   */
  static create(name: string, options: SemaphoreCreateOptions = {}): Semaphore {
    const action = checkCreate(name, options);
    const made = makeNamed(name, options.value, options.mode);
    if (typeof made !== "number") return new Semaphore(INSIDE, name, made, true);
    const hint = "Use Semaphore.open or Semaphore.openOrCreate, or remove it with Semaphore.unlink";
    return failMake(action, name, made, made === -E.EEXIST ? hint : undefined);
  }

  /**
   * Attaches to a named semaphore. Blocks until the name appears, for `waitMs` at most.
   *
   * @returns The semaphore.
   * @throws SystemError ENOENT when there is none, EACCES, EMFILE; StateError EPERM when it is
   *   another user's; LayoutError when it is no semaphore; RangeError, TypeError.
   */
  static open(name: string, options: SemaphoreOpenOptions = {}): Semaphore {
    checkObjectName(name, "semaphore", SEMAPHORE_NAME_MAX);
    const action = `Cannot open semaphore ${shown(name)}`;
    checkOptions(action, options, ["waitMs", "owner"]);
    checkOwnerOption(action, options);
    const look = (): CountedMemory | number | undefined => {
      const found = openNamed(action, name, options);
      return found === -E.ENOENT ? undefined : found;
    };
    const found = waitForName(look, options.waitMs) ?? -E.ENOENT;
    if (typeof found !== "number") return new Semaphore(INSIDE, name, found, false);
    const create = "Create it first, or use Semaphore.openOrCreate";
    const hint = found === -E.ENOENT ? create : hintOfOtherNamed(action, name, found);
    return fail(action, found, "sem_open", name, hint);
  }

  /**
   * Attaches to a named semaphore, or makes it; `created` says which. An existing one keeps its
   * tokens and its mode; `value` is not compared, since nothing records what it started with. Does
   * not block.
   *
   * @returns The semaphore.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT.
   */
  static openOrCreate(
    name: string,
    options: SemaphoreCreateOptions & OwnerOptions = {},
  ): Semaphore {
    const action = checkCreate(name, options, ["owner"]);
    checkOwnerOption(action, options);
    const opening = `Cannot open semaphore ${shown(name)}`;
    for (;;) {
      const found = openNamed(opening, name, options);
      if (typeof found !== "number") return new Semaphore(INSIDE, name, found, false);
      if (found !== -E.ENOENT) {
        fail(opening, found, "sem_open", name, hintOfOtherNamed(opening, name, found));
      }
      const made = makeNamed(name, options.value, options.mode);
      if (typeof made !== "number") return new Semaphore(INSIDE, name, made, true);
      // Somebody made it between the two attempts: begin again.
      if (made !== -E.EEXIST) failMake(action, name, made);
    }
  }

  /**
   * Removes a name. Processes that have the semaphore open keep it. Does not block.
   *
   * @returns Whether the name existed.
   * @throws SystemError EACCES, EPERM; RangeError, TypeError for a bad name.
   */
  static unlink(name: string): boolean {
    checkObjectName(name, "semaphore", SEMAPHORE_NAME_MAX);
    const result = unlinkNamed(name);
    if (result < 0 && result !== -E.ENOENT) {
      fail(`Cannot unlink semaphore ${shown(name)}`, result, "sem_unlink", name);
    }
    return result >= 0;
  }

  /** How many bytes one takes inside a segment: 32, on every platform. */
  static byteLength(): number {
    return SEM_LENGTH;
  }

  /**
   * Makes a semaphore inside a segment, whatever was there before: an existing semaphore cannot be
   * told from other bytes, and so is overwritten. Nobody may be waiting for it. Does not block.
   *
   * @param offset Where it starts, in bytes from the segment's start; a multiple of 8.
   * @returns The semaphore.
   * @throws RangeError for an impossible place or value; TypeError for a read-only segment.
   * @throws SystemError ENOSYS on macOS, which has only named semaphores; ClosedError.
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
   * Attaches to a semaphore that `init`, or C's `sem_init`, made in a segment, or will make before
   * the first call. Other bytes mostly are a LayoutError then; they cannot always be told from a
   * semaphore. Does not block.
   *
   * @param offset Where it starts, in bytes from the segment's start; a multiple of 8.
   * @returns The semaphore.
   * @throws RangeError for an impossible place; TypeError for a read-only segment; ClosedError.
   */
  static at(segment: Segment, offset: number): Semaphore {
    return Semaphore.#placed(segment, offset, false);
  }

  static #placed(segment: Segment, offset: number, created: boolean): Semaphore {
    checkPlace({ noun: "semaphore", readable: false }, segment, offset, SEM_LENGTH, ALIGNMENT);
    return new Semaphore(INSIDE, segment.name, { segment, offset }, created);
  }

  /** Whether `close()` was called, or its segment is closed. */
  get closed(): boolean {
    return this.#closed || this.segment?.closed === true;
  }

  /** Its address now, for libc. @throws ClosedError. @internal */
  get address(): number {
    const { segment } = this;
    if (this.#closed) throw new ClosedError(this.what);
    if (segment === undefined) return this.#namedAddress;
    if (segment.closed) throw new ClosedError(this.what);
    const offset = this.offset!;
    const { address, buffer } = segment.mapping;
    if (offset + SEM_LENGTH <= buffer.byteLength) return address + offset;
    throw new LayoutError(`Cannot use ${this.what}: its segment was cut off`, {
      expected: `${SEM_LENGTH} bytes`,
      found: `the segment's end at ${buffer.byteLength}`,
      offset,
    });
  }

  /** @throws LayoutError when its bytes are no semaphore's; ClosedError. @internal */
  check(): void {
    this.#bytes.check();
  }

  /**
   * How many tokens there are; stale the moment it returns.
   * @throws SystemError ENOSYS on macOS; LayoutError when its bytes are no semaphore's;
   *   ClosedError.
   */
  get value(): number {
    return this.#bytes.value;
  }

  /**
   * Adds tokens, and wakes as many waiters. Does not block.
   *
   * @param count How many tokens, 1 or more. With glibc they are added in one step; elsewhere
   *   others may take the first before the last is there. Default 1.
   * @throws SystemError EOVERFLOW at the highest possible value; the message says how many tokens
   *   were added. LayoutError when its bytes are no semaphore's; RangeError, TypeError for a bad
   *   count; ClosedError.
   */
  post(count = 1): void {
    this.#bytes.post(count);
  }

  /**
   * Takes all tokens above a limit: in one step with glibc, and else one by one.
   *
   * @param most The most tokens that there can be.
   * @returns How many it took. @throws LayoutError; ClosedError. @internal
   */
  takeAbove(limit: number, most: number): number {
    return this.#bytes.takeAbove(limit, most);
  }

  /**
   * Takes a token if there is one, and no `waitAsync` of this handle waits for it; does not block.
   * @returns Whether it took one. @throws LayoutError when its bytes are no semaphore's;
   *   ClosedError.
   */
  tryWait(): boolean {
    return !this.#waiters.any && this.tryTake();
  }

  /** Takes a token like `tryWait`, whoever waits for it. @internal */
  tryTake(): boolean {
    return this.#bytes.tryTake();
  }

  /**
   * Takes a token, and blocks this thread until there is one.
   *
   * It sleeps in slices of 50 ms on the monotonic clock, so that the thread can be terminated.
   * JavaScript's signal handlers run only after it returns: a wait without a timeout is for threads
   * that have nothing else to do, and `waitAsync` is for the others.
   *
   * @returns Whether it took a token: false when the timeout passed.
   * @throws StateError EBUSY while a `waitAsync` of this handle waits, which it would keep waiting;
   *   the signal's reason when it is already aborted; LayoutError when its bytes are no
   *   semaphore's; RangeError, TypeError, ClosedError.
   */
  wait(options?: WaitOptions): boolean {
    const timeoutMs =
      options === undefined ? Number.POSITIVE_INFINITY : this.#checkWait(options, WAIT_OPTIONS);
    if (this.tryWait()) return true;
    if (timeoutMs === 0) return false;
    if (this.#waiters.any) {
      const why = "waitAsync calls of this handle come before this one, and blocking the thread";
      const message = `Cannot wait for ${this.what}: ${why} would keep them waiting`;
      throw new StateError("EBUSY", `${message}. Await them first`);
    }
    const deadline = monotonicMs() + timeoutMs;
    for (;;) {
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      if (this.#bytes.sleep(Math.min(left, SLICE_MS))) return true;
      options?.signal?.throwIfAborted();
    }
  }

  #checkWait(options: AsyncWaitOptions, known: readonly string[]): number {
    return checkWait(`Cannot wait for ${this.what}`, options, known);
  }

  /**
   * Takes a token without blocking the event loop, as soon as there is one. The wait keeps the
   * process alive unless `ref` is false. The waits of one handle are served in order, and those
   * that need not wait let the event loop turn every two milliseconds.
   *
   * Other threads do the waiting. For up to four handles with waits, each sleeps in a semaphore;
   * one more looks at the semaphores of all further handles once a millisecond.
   *
   * A token that arrives while the wait is given up is posted back. Where libc is not glibc, the
   * thread may take one up to 50 ms later, and posts it back at once. If the process ends while it
   * waits, a token may be lost.
   *
   * @returns Whether it took a token: false when the timeout passed.
   * @throws The signal's reason as soon as it is aborted; ClosedError, also when the handle is
   *   closed meanwhile; SystemError EMFILE when no thread can be started; LayoutError when its
   *   bytes are no semaphore's; RangeError, TypeError.
   */
  async waitAsync(options: AsyncWaitOptions = {}): Promise<boolean> {
    const timeoutMs = this.#checkWait(options, ASYNC_WAIT_OPTIONS);
    return await this.#waiters.wait(timeoutMs, options);
  }

  /**
   * Takes a token like `tryWait`, and posts it back when the returned guard is disposed of.
   *
   * @returns The guard; undefined when there is no token. @throws ClosedError.
   */
  tryAcquire(): Disposable | undefined {
    return this.tryWait() ? heldToken(this) : undefined;
  }

  /**
   * Takes a token like `wait`, and posts it back when the returned guard is disposed of. The
   * garbage collector never does that: the token of a forgotten guard is lost.
   *
   * @returns The guard; undefined when the timeout passed. @throws The errors of `wait`.
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
    return this.wait(options) ? heldToken(this) : undefined;
  }

  /**
   * Takes a token like `waitAsync`, and posts it back when the returned guard is disposed of.
   * @returns The guard; undefined when the timeout passed. @throws The errors of `waitAsync`.
   */
  async acquireAsync(options: AsyncWaitOptions = {}): Promise<Disposable | undefined> {
    return (await this.waitAsync(options)) ? heldToken(this) : undefined;
  }

  /**
   * Removes the name if it still belongs to this semaphore, as far as the system shows that. For a
   * semaphore in a segment it is the segment's name. Does not block.
   *
   * @returns Whether this call removed it.
   * @throws SystemError EACCES, EPERM; ClosedError after `close()`, when `Semaphore.unlink` helps.
   */
  unlink(): boolean {
    const { address } = this;
    if (this.segment !== undefined) return this.segment.unlink();
    return isNameOf(this.name, address) !== false && Semaphore.unlink(this.name);
  }

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one.
   * Asks the kernel; stale the moment it returns. For a semaphore in a segment it is the segment's
   * name. False where the system does not show semaphores. @throws ClosedError.
   */
  get unlinked(): boolean {
    const { address } = this;
    if (this.segment !== undefined) return this.segment.unlinked;
    return isNameOf(this.name, address) === false;
  }

  /**
   * Ends the use of this handle; the semaphore stays. Pending waits of `waitAsync` are rejected
   * with ClosedError. Does not block. Calling it again does nothing.
   */
  close(): void {
    if (this.closed) return;
    this.#waiters.close(new ClosedError(this.what));
    this.#closed = true;
    this.#bytes.close();
    forgotten.unregister(this);
    this.#memory?.leave();
  }

  /**
   * Keeps the segment from being closed while somebody waits.
   * @returns The function that ends that. @throws ClosedError. @internal
   */
  hold(): () => void {
    if (this.closed) throw new ClosedError(this.what);
    return this.segment?.hold(`the semaphore at ${this.offset}, by a waitAsync,`) ?? (() => {});
  }

  /**
   * Memory in which a thread can sleep, whatever becomes of this handle.
   * @throws ClosedError. @internal
   */
  enterMemory(): WaitMemory {
    if (this.closed) throw new ClosedError(this.what);
    return this.#memory?.enter() ?? memoryIn(this.segment!, this.offset!, SEM_LENGTH);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @returns The start of the call's messages. @throws RangeError, TypeError. */
function checkCreate(
  name: string,
  options: SemaphoreCreateOptions,
  more: readonly string[] = [],
): string {
  checkObjectName(name, "semaphore", SEMAPHORE_NAME_MAX);
  const action = `Cannot create semaphore ${shown(name)}`;
  checkOptions(action, options, [...CREATE_OPTIONS, ...more]);
  checkValue(action, options.value);
  if (options.mode !== undefined) checkMode(action, options.mode);
  return action;
}

function checkValue(action: string, value: number | undefined): number {
  return value === undefined ? 0 : checkInteger(action, "its value", value, 0, C.SEM_VALUE_MAX);
}

function failMake(action: string, name: string, result: number, hint?: string): never {
  const room = roomHint(result, PLATFORM?.directory, SEM_LENGTH, ROOM_WAY);
  return fail(action, result, "sem_open", name, hint ?? room);
}
