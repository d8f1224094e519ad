import {
  INSIDE,
  checkBoolean,
  checkInside,
  checkInteger,
  checkMode,
  checkOptions,
  shown,
} from "../arguments.ts";
import { ClosedError, UnsupportedError } from "../errors.ts";
import { E, fail, isRemoved } from "../libc/errno.ts";
import { C } from "../libc/platform.ts";
import {
  semOwners,
  semRemove,
  semctlGet,
  semctlSetValue,
  semget,
  semtimedop,
} from "../libc/sem.ts";
import { has } from "../libc/symbols.ts";
import { monotonicMs } from "../libc/time.ts";
import { type OwnerOptions, checkOwnerOption, refuseStranger } from "../memory/objects/owner.ts";
import { type SysvName, parseSysvName } from "../memory/objects/segment-name.ts";
import { SLICE_MS } from "../waiting/limits.ts";
import { waitForName } from "../waiting/patience.ts";
import { WAIT_OPTIONS, type WaitOptions, checkWait } from "../waiting/wait-options.ts";
import { heldToken } from "./held-token.ts";

/** The highest value that Linux allows. */
const VALUE_MAX = 32_767;

/** How to make a System V semaphore. */
export interface SystemVSemaphoreCreateOptions {
  /** Its first value, from 0 to 32767. Default 0. */
  readonly value?: number | undefined;
  /** Permission bits; no umask applies. Default 0o600: this user only. */
  readonly mode?: number | undefined;
  /**
   * Let the kernel undo this process's operations when it ends, in whatever way (SEM_UNDO): what a
   * killed holder took is given back at once. That is right for a lock, which the same process
   * takes and gives back; it is wrong for a count that one process posts and another waits for.
   * Default true.
   */
  readonly undo?: boolean | undefined;
}

/** How to attach to a System V semaphore. */
export interface SystemVSemaphoreOpenOptions extends OwnerOptions {
  /** Milliseconds to wait, blocking this thread, for the name to appear. Default 0. */
  readonly waitMs?: number | undefined;
  /** Let the kernel undo this process's operations when it ends, as for `create`. Default true. */
  readonly undo?: boolean | undefined;
}

/**
 * A System V semaphore, which is the one kind that gets back what a killed process had taken.
 *
 * Its name is `sysv:KEY`, `sysv:#ID` or, for `create`, `sysv:private`. Any number of processes and
 * threads may use it. It lives until `unlink`, or until the machine stops. It has no `waitAsync`:
 * only a sleeping thread notices a post, and polling for one is left to the caller.
 *
 * What a crash leaves: with `undo`, the value as it was before the dead process's operations. A
 * creator that dies before it has set the value leaves a semaphore of value 0.
 *
 * @example
 * ```ts
 * using lock = SystemVSemaphore.create("sysv:private", { value: 1 });
 * {
 *   using held = lock.acquire({ timeoutMs: 1000 });
 *   console.log(held === undefined ? "busy" : "mine until the end of the block");
 * }
 * lock.unlink();
 * ```
 */
export class SystemVSemaphore {
  /** Its name, `sysv:KEY` or `sysv:#ID`. */
  readonly name: string;
  /** Always undefined: it lies in no segment. */
  readonly segment: undefined = undefined;
  /** Whether this handle made it. */
  readonly created: boolean;
  /** The kernel's id, by which any process of this machine can open it (`sysv:#ID`). */
  readonly id: number;
  readonly #flags: number;
  #closed = false;

  private constructor(
    inside: typeof INSIDE,
    name: string,
    id: number,
    created: boolean,
    undo: boolean | undefined,
  ) {
    checkInside(inside === INSIDE, "SystemVSemaphore");
    this.name = name;
    this.id = id;
    this.created = created;
    this.#flags = undo === false ? 0 : C.SEM_UNDO;
  }

  /**
   * Makes a new semaphore. Others may see it with value 0 for an instant, before it gets its first
   * value. Does not block.
   *
   * @returns The semaphore.
   * @throws SystemError EEXIST when the key is taken, ENOSPC (limits), EACCES; RangeError,
   *   TypeError; UnsupportedError where the system has no `semtimedop` (macOS).
   */
  static create(name: string, options: SystemVSemaphoreCreateOptions = {}): SystemVSemaphore {
    const action = `Cannot create semaphore ${shown(name)}`;
    const parsed = checkCreate(action, name, options);
    const id = make(parsed, options);
    if (id >= 0) return SystemVSemaphore.#made(action, parsed, id, options);
    const hint = "Use SystemVSemaphore.open or openOrCreate, or remove it with its unlink";
    return fail(action, id, "semget", name, id === -E.EEXIST ? hint : limitHint(id));
  }

  /**
   * Attaches to a semaphore that exists. Blocks until the name appears, for `waitMs` at most.
   *
   * @returns The semaphore.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's; RangeError,
   *   TypeError, UnsupportedError.
   */
  static open(name: string, options: SystemVSemaphoreOpenOptions = {}): SystemVSemaphore {
    const action = `Cannot open semaphore ${shown(name)}`;
    const parsed = parseName(action, name);
    checkOptions(action, options, ["undo", "waitMs", "owner"]);
    checkUndo(action, options);
    checkOwnerOption(action, options);
    const look = (): number | undefined => {
      const id = find(action, parsed, options);
      return id === -E.ENOENT ? undefined : id;
    };
    const id = waitForName(look, options.waitMs) ?? -E.ENOENT;
    if (id >= 0) return new SystemVSemaphore(INSIDE, name, id, false, options.undo);
    const hint = "Create it first, or use SystemVSemaphore.openOrCreate";
    return fail(action, id, "semget", name, id === -E.ENOENT ? hint : undefined);
  }

  /**
   * Attaches to the semaphore, or makes it; `created` says which. An existing one keeps its value
   * and its mode. Does not block.
   *
   * @returns The semaphore.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT.
   */
  static openOrCreate(
    name: string,
    options: SystemVSemaphoreCreateOptions & OwnerOptions = {},
  ): SystemVSemaphore {
    const action = `Cannot create semaphore ${shown(name)}`;
    const opening = `Cannot open semaphore ${shown(name)}`;
    const parsed = checkCreate(action, name, options, ["owner"]);
    checkOwnerOption(action, options);
    for (;;) {
      const made = make(parsed, options);
      if (made >= 0) return SystemVSemaphore.#made(action, parsed, made, options);
      if (made !== -E.EEXIST) fail(action, made, "semget", name, limitHint(made));
      const found = find(opening, parsed, options);
      if (found >= 0) return new SystemVSemaphore(INSIDE, name, found, false, options.undo);
      // Somebody removed it between the two attempts: begin again.
      if (found !== -E.ENOENT) fail(opening, found, "semget", name);
    }
  }

  static #made(
    action: string,
    { text, target }: SysvName,
    id: number,
    { value = 0, undo }: SystemVSemaphoreCreateOptions,
  ): SystemVSemaphore {
    const result = semctlSetValue(id, value);
    if (result < 0) {
      semRemove(id);
      fail(action, result, "semctl", text);
    }
    return new SystemVSemaphore(
      INSIDE,
      target === "private" ? `sysv:#${id}` : text,
      id,
      true,
      undo,
    );
  }

  /**
   * Removes a semaphore at once: waits for it fail with SystemError EIDRM. Does not block.
   * @returns Whether it existed. @throws SystemError EPERM; RangeError, TypeError,
   *   UnsupportedError.
   */
  static unlink(name: string): boolean {
    const action = `Cannot unlink semaphore ${shown(name)}`;
    const id = idOf(parseName(action, name));
    const result = id < 0 ? id : semRemove(id);
    if (isRemoved(result)) return false;
    if (result < 0) fail(action, result, "semctl", name);
    return true;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Whether the name no longer stands for this object: it was removed, or belongs to a newer one.
   * Asks the kernel; stale the moment it returns. @throws ClosedError.
   */
  get unlinked(): boolean {
    this.#checkOpen();
    return isRemoved(semctlGet(this.id, C.SEM_GETVAL));
  }

  /** Its value; stale the moment it returns. @throws ClosedError; SystemError once removed. */
  get value(): number {
    return this.#get(C.SEM_GETVAL);
  }

  /** How many threads wait; stale the moment it returns. @throws The errors of `value`. */
  get waiters(): number {
    return this.#get(C.SEM_GETNCNT);
  }

  /** The id of the process that operated on it last. @throws The errors of `value`. */
  get lastPid(): number {
    return this.#get(C.SEM_GETPID);
  }

  /**
   * Adds to the value, and wakes waiters. Does not block.
   *
   * @param count How much, from 1 to 32767; it is added in one step. Default 1.
   * @throws SystemError ERANGE when the value would exceed 32767, EIDRM once removed; RangeError,
   *   TypeError, ClosedError.
   */
  post(count = 1): void {
    checkInteger(`Cannot post ${this.#what}`, "the count", count, 1, VALUE_MAX);
    const result = this.#operate(count, C.IPC_NOWAIT, 0);
    if (result < 0) this.#fail("post", result);
  }

  /**
   * Takes 1 from the value if it is above 0; does not block.
   * @returns Whether it took 1. @throws SystemError EIDRM once removed; ClosedError.
   */
  tryWait(): boolean {
    const result = this.#operate(-1, C.IPC_NOWAIT, 0);
    if (result < 0 && result !== -E.EAGAIN) this.#fail("wait for", result);
    return result >= 0;
  }

  /**
   * Takes 1 from the value, and blocks this thread until it is above 0. It sleeps in slices of 50
   * ms, so that the thread can be terminated.
   *
   * @returns Whether it took 1: false when the timeout passed.
   * @throws SystemError EIDRM when somebody removes it meanwhile; the signal's reason when it is
   *   already aborted; RangeError, TypeError, ClosedError.
   */
  wait(options: WaitOptions = {}): boolean {
    const timeoutMs = checkWait(`Cannot wait for ${this.#what}`, options, WAIT_OPTIONS);
    const deadline = monotonicMs() + timeoutMs;
    for (;;) {
      const left = Math.max(0, Math.min(SLICE_MS, deadline - monotonicMs()));
      const result = this.#operate(-1, 0, left);
      if (result >= 0) return true;
      if (result !== -E.EAGAIN && result !== -E.EINTR) this.#fail("wait for", result);
      if (monotonicMs() >= deadline) return false;
      options.signal?.throwIfAborted();
    }
  }

  /**
   * Takes 1 like `tryWait`, and posts it back when the returned guard is disposed of.
   * @returns The guard; undefined at value 0. @throws The errors of `tryWait`.
   */
  tryAcquire(): Disposable | undefined {
    return this.tryWait() ? heldToken(this) : undefined;
  }

  /**
   * Takes 1 like `wait`, and posts it back when the returned guard is disposed of.
   * @returns The guard; undefined when the timeout passed. @throws The errors of `wait`.
   */
  acquire(options: WaitOptions = {}): Disposable | undefined {
    return this.wait(options) ? heldToken(this) : undefined;
  }

  /**
   * Removes this semaphore, and never a newer one of the same key. Does not block.
   * @returns Whether this call removed it. @throws SystemError EPERM; ClosedError.
   */
  unlink(): boolean {
    this.#checkOpen();
    return SystemVSemaphore.unlink(`sysv:#${this.id}`);
  }

  /**
   * Ends the use of this handle. What the kernel undoes when the process ends stays as it is.
   * Calling it again does nothing.
   */
  close(): void {
    this.#closed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #what(): string {
    return `semaphore ${shown(this.name)}`;
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError(this.#what);
  }

  #operate(change: number, flags: number, timeoutMs: number): number {
    this.#checkOpen();
    return semtimedop(this.id, change, this.#flags | flags, timeoutMs);
  }

  #get(command: number): number {
    this.#checkOpen();
    const result = semctlGet(this.id, command);
    if (result < 0) this.#fail("look at", result, "semctl");
    return result;
  }

  #fail(verb: string, result: number, syscall = "semtimedop"): never {
    const hint = isRemoved(result) ? "Somebody removed it" : undefined;
    return fail(`Cannot ${verb} ${this.#what}`, result, syscall, this.name, hint);
  }
}

/** @throws TypeError, RangeError for a bad name; UnsupportedError. */
function parseName(action: string, name: string): SysvName {
  if (!has("semtimedop")) {
    throw new UnsupportedError(`${action}: this system has no semtimedop`);
  }
  if (typeof name !== "string" || !name.startsWith("sysv:")) {
    throw new TypeError(`${action}: its name must be "sysv:KEY", "sysv:#ID" or "sysv:private"`);
  }
  return parseSysvName(name);
}

function checkUndo(action: string, { undo }: SystemVSemaphoreOpenOptions): void {
  if (undo !== undefined) checkBoolean(action, "undo", undo);
}

function checkCreate(
  action: string,
  name: string,
  options: SystemVSemaphoreCreateOptions,
  more: readonly string[] = [],
): SysvName {
  const parsed = parseName(action, name);
  if (parsed.target !== "private" && "id" in parsed.target) {
    throw new TypeError(`${action}: the kernel chooses the ids`);
  }
  checkOptions(action, options, ["value", "mode", "undo", ...more]);
  if (options.value !== undefined) checkInteger(action, "its value", options.value, 0, VALUE_MAX);
  if (options.mode !== undefined) checkMode(action, options.mode);
  checkUndo(action, options);
  return parsed;
}

/** @returns The id of a new one, or a negated errno. */
function make({ target }: SysvName, { mode = 0o600 }: SystemVSemaphoreCreateOptions): number {
  const key = typeof target === "object" && "key" in target ? target.key : 0;
  return semget(key, 1, C.IPC_CREAT | C.IPC_EXCL | mode);
}

/** @returns The id of a name, or a negated errno. */
function idOf({ target }: SysvName): number {
  if (target === "private") return -E.ENOENT;
  return "id" in target ? target.id : semget(target.key, 0, 0);
}

/**
 * @returns The id of one that exists, or a negated errno: -ENOENT also when it was removed.
 * @throws StateError EPERM when it is another user's.
 */
function find(action: string, name: SysvName, { owner }: OwnerOptions): number {
  const id = idOf(name);
  const owners = id < 0 ? id : semOwners(id);
  if (typeof owners === "number") return isRemoved(owners) ? -E.ENOENT : owners;
  for (const uid of owners) refuseStranger(action, uid, owner);
  return id;
}

/** What to do when the system allows no further semaphore. */
function limitHint(result: number): string | undefined {
  if (result !== -E.ENOSPC) return undefined;
  return (
    "The system has as many as it allows: remove some (`ipcs -s` lists them, `ipcrm -s ID` " +
    "removes one), or raise sysctl kernel.sem"
  );
}
