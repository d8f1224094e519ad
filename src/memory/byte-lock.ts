/** Locks that the kernel releases, by which roles are held and the deaths of holders are known. */
import { UnsupportedError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { close, isByteTaken, lockByte, open } from "../libc/fcntl.ts";
import { C } from "../libc/platform.ts";
import { Descriptor, withDescriptors } from "./descriptor.ts";

/** @throws UnsupportedError where the system has no such locks; SystemError for another failure. */
export function failLock(action: string, result: number, path?: string): never {
  if (result !== -E.EINVAL && result !== -E.ENOSYS) return fail(action, result, "fcntl", path);
  const why = "this system has no locks of open file descriptions (F_OFD_SETLK)";
  throw new UnsupportedError(`${action}: ${why}. Linux has them since 3.15, gVisor since 2023`);
}

/**
 * An exclusive lock on one byte of an object, which has an open file description of its own.
 *
 * What a crash leaves: nothing, because the kernel releases the lock when the process dies, in
 * whatever way, and even across containers, where process ids mean nothing. It also excludes other
 * handles of the same process, and its Workers. `Segment.tryLock` makes them, and its segment keeps
 * them: a lock lasts until `close`, here or of the segment, even if nothing else refers to it.
 *
 * @example
 * ```ts
 * using segment = Segment.create("/roles", { size: 4096 });
 * {
 *   using role = segment.tryLock(0); // undefined while anybody else holds it
 *   console.log(role?.held); // true
 * }
 * segment.unlink();
 * ```
 */
export class ByteLock {
  readonly #descriptor: Descriptor;
  readonly #kept: Set<ByteLock>;

  private constructor(what: string, descriptor: number, kept: Set<ByteLock>) {
    this.#descriptor = new Descriptor(`the lock of ${what}`, descriptor);
    this.#descriptor.serve(this);
    this.#kept = kept;
    kept.add(this);
  }

  /**
   * Takes the lock on byte `index` if it is free.
   *
   * @param kept The locks that the segment keeps, which this one joins while it is held.
   * @returns The lock; undefined when anybody holds it.
   * @throws SystemError when the object cannot be opened for writing, or has no such locks.
   * @internal
   */
  static tryAcquire(
    what: string,
    object: Descriptor,
    index: number,
    kept: Set<ByteLock>,
  ): ByteLock | undefined {
    // This opens the same object again, whatever has become of its name.
    const path = `/proc/self/fd/${object.number}`;
    const descriptor = withDescriptors(() => open(path, C.O_RDWR | C.O_CLOEXEC));
    if (descriptor < 0) fail(`Cannot lock ${what}`, descriptor, "open", path);
    const result = lockByte(descriptor, index);
    if (result === 0) return new ByteLock(what, descriptor, kept);
    close(descriptor);
    if (result === -E.EAGAIN) return undefined;
    return failLock(`Cannot lock ${what}`, result);
  }

  /**
   * Whether anybody holds such a lock on byte `index`, this process included. Shared locks do not
   * count: who may only read can take those, and would make the dead look alive. @internal
   */
  static isHeld(what: string, object: Descriptor, index: number): boolean {
    const result = isByteTaken(object.number, index);
    if (result < 0) failLock(`Cannot look at the locks of ${what}`, result);
    return result === 1;
  }

  /** Whether this lock is still held. */
  get held(): boolean {
    return !this.#descriptor.closed;
  }

  /** Releases the lock. Calling it again does nothing. */
  close(): void {
    this.#kept.delete(this);
    this.#descriptor.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
