import { ClosedError, UnsupportedError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { C } from "../libc/platform.ts";
import { semRemove, semctlGet, semctlSetValue, semget, semtimedop } from "../libc/sem.ts";
import { has } from "../libc/symbols.ts";
import { monotonicMs } from "../libc/time.ts";
import { sysvName } from "../memory/objects/segment-name.ts";
import { checkTimeout } from "../waiting/wait-options.ts";

/** A blocking wait comes up for signals this often, in ms. */
const SLICE_MS = 50;
const VALUE_MAX = 32_767;

/** How to make a System V semaphore. */
export interface SystemVSemaphoreCreateOptions extends SystemVSemaphoreOpenOptions {
  /** First value, from 0 to 32767. Default 0. */
  value?: number;
  /** Permission bits; no umask applies. Default 0o600. */
  mode?: number;
}

/** How to attach to a System V semaphore. */
export interface SystemVSemaphoreOpenOptions {
  /**
   * The kernel undoes this process's operations when it ends, however (SEM_UNDO): what a killed
   * holder took is given back at once. Right for a lock, which one process waits for and posts;
   * wrong for a count that one process posts and another waits for. Default true.
   */
  undo?: boolean;
}

/**
 * A System V semaphore: the one kind whose kernel gives back what a killed process had taken.
 *
 * Names are `sysv:KEY`, `sysv:#ID` and, to create, `sysv:private`. Any number of processes may use
 * it. It lives until `unlink` or the machine stops.
 *
 * What a crash leaves: with `undo`, the value as it was before the dead process's operations; a
 * creator that dies between making it and setting its value leaves one of value 0.
 *
 * @example
 * ```ts
 * const lock = SystemVSemaphore.create("sysv:private", { value: 1 });
 * if (lock.wait({ timeoutMs: 1000 })) lock.post();
 * lock.unlink();
 * ```
 */
export class SystemVSemaphore {
  /** `sysv:KEY`, or `sysv:#ID`. */
  readonly name: string;
  /** The number by which any process of this machine reaches it. */
  readonly id: number;
  readonly #flags: number;
  #closed = false;

  private constructor(name: string, id: number, undo: boolean) {
    this.name = name;
    this.id = id;
    this.#flags = undo ? C.SEM_UNDO : 0;
  }

  /**
   * Makes a new semaphore. Does not block.
   *
   * @throws SystemError EEXIST, ENOSPC (limits), EACCES; RangeError, TypeError.
   */
  static create(name: string, options: SystemVSemaphoreCreateOptions = {}): SystemVSemaphore {
    const { value = 0, mode = 0o600, undo = true } = options;
    const action = `Cannot create semaphore "${name}"`;
    const parsed = checkName(action, name);
    if (!Number.isInteger(value) || value < 0 || value > VALUE_MAX) {
      throw new RangeError(`${action}: its value ${String(value)} is not from 0 to ${VALUE_MAX}`);
    }
    if (parsed !== "private" && "id" in parsed) {
      throw new TypeError(`${action}: the kernel chooses the ids`);
    }
    const key = parsed === "private" ? 0 : parsed.key;
    const id = semget(key, 1, C.IPC_CREAT | C.IPC_EXCL | (mode & 0o777));
    if (id < 0) fail(action, id, "semget", name);
    const result = semctlSetValue(id, value);
    if (result < 0) fail(action, result, "semctl", name);
    return new SystemVSemaphore(parsed === "private" ? `sysv:#${id}` : name, id, undo);
  }

  /** Attaches to a semaphore that exists. @throws SystemError ENOENT, EACCES. */
  static open(name: string, options: SystemVSemaphoreOpenOptions = {}): SystemVSemaphore {
    const action = `Cannot open semaphore "${name}"`;
    const id = findId(action, name);
    const known = id < 0 ? id : semctlGet(id, C.SEM_GETVAL);
    if (known < 0) {
      fail(action, isGone(known) ? -E.ENOENT : known, "semget", name);
    }
    return new SystemVSemaphore(name, id, options.undo ?? true);
  }

  /** Removes it at once; who waits on it gets an error. @returns Whether there was one. */
  static unlink(name: string): boolean {
    const action = `Cannot unlink semaphore "${name}"`;
    const id = findId(action, name);
    const result = id < 0 ? id : semRemove(id);
    if (isGone(result)) return false;
    if (result < 0) fail(action, result, "semctl", name);
    return true;
  }

  /** The value; stale the moment it returns. */
  get value(): number {
    return this.#get(C.SEM_GETVAL);
  }

  /** How many threads wait now. */
  get waiters(): number {
    return this.#get(C.SEM_GETNCNT);
  }

  /** Process id of whoever operated on it last. */
  get lastPid(): number {
    return this.#get(C.SEM_GETPID);
  }

  /** Adds to the value and wakes waiters. Never blocks. @throws SystemError ERANGE past 32767. */
  post(count = 1): void {
    const result = this.#operate(checkCount(count), C.IPC_NOWAIT, 0);
    if (result < 0) this.#fail("post", result);
  }

  /** Takes one at once. @returns false when the value is 0. */
  tryWait(): boolean {
    const result = this.#operate(-1, C.IPC_NOWAIT, 0);
    if (result < 0 && result !== -E.EAGAIN) this.#fail("wait on", result);
    return result >= 0;
  }

  /**
   * Takes one, blocking this thread in slices that let signals through.
   *
   * @param options.timeoutMs Default: for ever.
   * @returns false after the timeout.
   * @throws SystemError EIDRM when somebody removes it meanwhile.
   */
  wait(options: { timeoutMs?: number } = {}): boolean {
    const deadline = monotonicMs() + checkTimeout(options.timeoutMs);
    for (;;) {
      const left = Math.max(0, Math.min(SLICE_MS, deadline - monotonicMs()));
      const result = this.#operate(-1, 0, left);
      if (result >= 0) return true;
      if (result !== -E.EAGAIN && result !== -E.EINTR) this.#fail("wait on", result);
      if (monotonicMs() >= deadline) return false;
    }
  }

  /** Removes it. @returns Whether this call did. */
  unlink(): boolean {
    return SystemVSemaphore.unlink(`sysv:#${this.id}`);
  }

  /** Ends the use of this handle; the kernel's undo stays until the process ends. */
  close(): void {
    this.#closed = true;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #operate(change: number, flags: number, timeoutMs: number): number {
    if (this.#closed) throw new ClosedError(`semaphore "${this.name}"`);
    return semtimedop(this.id, change, this.#flags | flags, timeoutMs);
  }

  #get(command: number): number {
    if (this.#closed) throw new ClosedError(`semaphore "${this.name}"`);
    const result = semctlGet(this.id, command);
    if (result < 0) this.#fail("look at", result, "semctl");
    return result;
  }

  #fail(verb: string, result: number, syscall = "semtimedop"): never {
    const hint = isGone(result) ? "Somebody removed it" : undefined;
    return fail(`Cannot ${verb} semaphore "${this.name}"`, result, syscall, this.name, hint);
  }
}

const isGone = (result: number): boolean =>
  result === -E.ENOENT || result === -E.EINVAL || result === -E.EIDRM;

function checkName(action: string, name: string): ReturnType<typeof sysvName> {
  if (!has("semtimedop")) {
    throw new UnsupportedError(`${action}: this system has no semtimedop`);
  }
  if (typeof name !== "string" || !name.startsWith("sysv:")) {
    throw new TypeError(`${action}: its name must be "sysv:KEY", "sysv:#ID" or "sysv:private"`);
  }
  return sysvName(name);
}

function findId(action: string, name: string): number {
  const parsed = checkName(action, name);
  if (parsed === "private") return -E.ENOENT;
  return "id" in parsed ? parsed.id : semget(parsed.key, 0, 0);
}

function checkCount(count: number): number {
  if (Number.isInteger(count) && count >= 1 && count <= VALUE_MAX) return count;
  throw new RangeError(`Cannot post ${String(count)}: a count is from 1 to ${VALUE_MAX}`);
}
