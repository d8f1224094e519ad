/** Locks that the kernel releases: how a role is held, and how its holder's death is known. */
import { E, fail } from "../libc/errno.ts";
import { close, isByteLocked, lockByte, open } from "../libc/fcntl.ts";
import { C } from "../libc/platform.ts";
import { Descriptor } from "./descriptor.ts";

/**
 * An exclusive lock on one byte of an object, held by an open file description of its own.
 *
 * The kernel releases it when the process dies, however it dies, also across containers where
 * process ids mean nothing. It excludes other handles of the same process and its Workers too.
 * A lock that is forgotten is released when it is collected.
 */
export class ByteLock {
  readonly #descriptor: Descriptor;

  private constructor(what: string, descriptor: number) {
    this.#descriptor = new Descriptor(`the lock of ${what}`, descriptor);
    this.#descriptor.serve(this);
  }

  /**
   * Takes byte `index` at once.
   *
   * @returns undefined when somebody alive has it.
   * @throws SystemError when the object cannot be opened for writing, or has no such locks.
   * @internal
   */
  static tryAcquire(what: string, object: Descriptor, index: number): ByteLock | undefined {
    // A new open file description of the same object, whatever became of its name.
    const path = `/proc/self/fd/${object.number}`;
    const descriptor = open(path, C.O_RDWR | C.O_CLOEXEC);
    if (descriptor < 0) fail(`Cannot lock ${what}`, descriptor, "open", path);
    const result = lockByte(descriptor, index);
    if (result === 0) return new ByteLock(what, descriptor);
    close(descriptor);
    if (result === -E.EAGAIN) return undefined;
    return fail(`Cannot lock ${what}`, result, "fcntl");
  }

  /** Whether somebody alive holds byte `index`, this process included. @internal */
  static isHeld(what: string, object: Descriptor, index: number): boolean {
    const result = isByteLocked(object.number, index);
    if (result < 0) fail(`Cannot look at the locks of ${what}`, result, "fcntl");
    return result === 1;
  }

  /** Whether this lock is still held. */
  get held(): boolean {
    return !this.#descriptor.closed;
  }

  /** Releases the lock; again is harmless. */
  close(): void {
    this.#descriptor.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
