/** Objects that are found by name: how they are made, sized, joined and removed without a race. */
import { fchmodSync, statfsSync } from "node:fs";
import { E, fail } from "../../libc/errno.ts";
import { close, flock, ftruncate, lockByte } from "../../libc/fcntl.ts";
import { C } from "../../libc/platform.ts";
import { monotonicMs, sleepMs } from "../../libc/time.ts";
import { DescriptorObject, setSize } from "./descriptor-object.ts";
import { Descriptor } from "../descriptor.ts";
import {
  type Access,
  type Backing,
  type FoundObject,
  type ObjectOptions,
  type ObjectSpace,
  type ObjectStat,
  type SharedObject,
  sameObject,
  statDescriptor,
} from "./shared-object.ts";

// glibc's shm_open opens a FIFO like any file, and would wait for its writer.
const NEVER_BLOCK = process.platform === "linux" ? C.O_NONBLOCK : 0;

/** How long, in ms, one process waits for another that is between two steps of making an object. */
const PATIENCE_MS = 1000;

/**
 * The lock bytes of an object, beyond any offset that holds data. Structures take theirs from 0.
 * UNLINK serialises those who compare a name's inode and then remove the name.
 */
const UNLINK_BYTE = 2 ** 40;

/** The two calls that tell POSIX objects from files, by the names that errors carry. */
export interface NameCalls {
  readonly backing: Backing;
  readonly openCall: string;
  readonly unlinkCall: string;
  /** A descriptor, or a negated errno. */
  open(name: string, flags: number, mode: number): number;
  /** 0, or a negated errno. */
  unlink(name: string): number;
  /** The directory whose room a new object takes; undefined where it cannot be asked. */
  directoryOf(name: string): string | undefined;
  /** What to do when that room is used up. */
  readonly roomHint: string;
}

/** Calls until the answer is not -EAGAIN, or the patience is over. */
function retryWhileBusy(attempt: () => number): number {
  const deadline = monotonicMs() + PATIENCE_MS;
  for (;;) {
    const result = attempt();
    if (result !== -E.EAGAIN || monotonicMs() >= deadline) return result;
    sleepMs(0.2);
  }
}

/** Joins the object's users: a shared `flock`, which the kernel releases with the descriptor. */
export function joinUsers(action: string, name: string, descriptor: number): void {
  const result = retryWhileBusy(() => flock(descriptor, C.LOCK_SH | C.LOCK_NB));
  if (result < 0) fail(action, result, "flock", name, "Another process is making or removing it");
}

/**
 * Whether a live process holds the object open as a segment. The test takes the lock for an
 * instant, so two tests at once may both say yes; none ever says no wrongly.
 */
export function hasSharedLock(descriptor: number): boolean {
  return flock(descriptor, C.LOCK_EX | C.LOCK_NB) === -E.EAGAIN;
}

/** The object's size, once it has one: its creator gets a second. 0 when it stayed empty. */
function waitForSize(descriptor: number): number {
  const deadline = monotonicMs() + PATIENCE_MS;
  for (;;) {
    const { size } = statDescriptor(descriptor);
    if (size > 0 || monotonicMs() >= deadline) return size;
    sleepMs(0.2);
  }
}

function describeAccess(access: Access): string {
  if (access === "read") return "It belongs to another user, and its mode keeps this one out";
  return 'Its owner or mode forbids writing; { access: "read" } may do';
}

/*
 * Who may size an object. Its name appears with size 0, before anyone can give it a size, so:
 *
 *   - only who holds the exclusive flock gives a size to an empty object, and looks again first;
 *   - who joins as a user (shared flock) does so only to an object that has a size.
 *
 * A creator that dies in between leaves an empty object without a lock: `adopt` may take the
 * exclusive lock and finish the work. Whoever comes second finds a size, and joins.
 */

/** Every object under one pair of name calls. */
export class NamedSpace implements ObjectSpace {
  readonly #calls: NameCalls;

  constructor(calls: NameCalls) {
    this.#calls = calls;
  }

  create(name: string, options: ObjectOptions): SharedObject | undefined {
    const action = `Cannot create segment "${name}"`;
    const { size, mode = 0o600, reserve = true } = options;
    const flags = C.O_RDWR | C.O_CREAT | C.O_EXCL | C.O_CLOEXEC | NEVER_BLOCK;
    const opened = this.#calls.open(name, flags, mode);
    if (opened === -E.EEXIST) return undefined;
    if (opened < 0) fail(action, opened, this.#calls.openCall, name);
    const descriptor = new Descriptor(`segment "${name}"`, opened);
    try {
      const alone = retryWhileBusy(() => flock(opened, C.LOCK_EX | C.LOCK_NB));
      if (alone < 0) fail(action, alone, "flock", name);
      if (statDescriptor(opened).size > 0) {
        // This process was stopped for so long that another adopted the object.
        descriptor.close();
        return undefined;
      }
      fchmodSync(opened, mode);
      const sized = setSize(opened, size, reserve);
      if (sized < 0) {
        this.#removeName(action, name);
        this.#failSetSize(action, sized, name, size);
      }
      joinUsers(action, name, opened);
      return this.#own(name, descriptor);
    } catch (error) {
      descriptor.close();
      throw error;
    }
  }

  open(name: string, access: Access): SharedObject | undefined {
    const action = `Cannot open segment "${name}"`;
    return this.#with(action, name, access, (descriptor) => {
      if (waitForSize(descriptor) === 0) {
        const hint =
          "It is empty: its creator died before it gave it a size, or never meant to. " +
          "Segment.openOrCreate adopts it, Segment.unlink removes it";
        fail(action, -E.ENODATA, "fstat", name, hint);
      }
      joinUsers(action, name, descriptor);
    })?.object;
  }

  adopt(name: string, options: ObjectOptions): FoundObject | undefined {
    const action = `Cannot open segment "${name}"`;
    return this.#with(action, name, "readwrite", (descriptor) => {
      const sized =
        waitForSize(descriptor) === 0 && this.#sizeIfEmpty(action, name, descriptor, options);
      joinUsers(action, name, descriptor);
      return sized;
    });
  }

  truncate(name: string, options: ObjectOptions): FoundObject | undefined {
    const action = `Cannot truncate segment "${name}"`;
    return this.#with(action, name, "readwrite", (descriptor) => {
      if (flock(descriptor, C.LOCK_EX | C.LOCK_NB) < 0) {
        const hint =
          "Another handle has it open, and cutting it off would end that process (SIGBUS)";
        fail(action, -E.EBUSY, "flock", name, hint);
      }
      const emptied = ftruncate(descriptor, 0);
      if (emptied < 0) fail(action, emptied, "ftruncate", name);
      this.#sizeIfEmpty(action, name, descriptor, options);
      joinUsers(action, name, descriptor);
      return false;
    });
  }

  unlink(name: string): boolean {
    return this.#unlink(name);
  }

  /** Removes a name unless a live process has the object. @returns Whether this call did. */
  unlinkUnused(name: string): boolean {
    const descriptor = this.#openExisting(name, "read");
    // What cannot be opened cannot be asked; its directory decides who may remove it.
    if (descriptor < 0) return descriptor === -E.ENOENT ? false : this.#unlink(name);
    try {
      // Held to the end: who opens it now waits, and finds the name gone.
      if (flock(descriptor, C.LOCK_EX | C.LOCK_NB) < 0) return false;
      return this.#unlink(name, statDescriptor(descriptor));
    } finally {
      close(descriptor);
    }
  }

  exists(name: string): boolean {
    const descriptor = this.#openExisting(name, "read");
    if (descriptor >= 0) close(descriptor);
    return descriptor !== -E.ENOENT && descriptor !== -E.ENOTDIR;
  }

  hasUsers(name: string): boolean {
    const descriptor = this.#openExisting(name, "read");
    if (descriptor === -E.ENOENT || descriptor === -E.ENXIO) return false;
    if (descriptor < 0) {
      fail(`Cannot look at segment "${name}"`, descriptor, this.#calls.openCall, name);
    }
    try {
      return hasSharedLock(descriptor);
    } finally {
      close(descriptor);
    }
  }

  #openExisting(name: string, access: Access): number {
    const flags = access === "read" ? C.O_RDONLY : C.O_RDWR;
    return this.#calls.open(name, flags | C.O_CLOEXEC | NEVER_BLOCK, 0);
  }

  #own(name: string, descriptor: Descriptor): SharedObject {
    const remove = (object: ObjectStat): boolean => this.#unlink(name, object);
    return new DescriptorObject(this.#calls.backing, name, descriptor, remove);
  }

  #with(
    action: string,
    name: string,
    access: Access,
    prepare: (descriptor: number) => boolean | void,
  ): FoundObject | undefined {
    const opened = this.#openExisting(name, access);
    if (opened === -E.ENOENT) return undefined;
    if (opened < 0) {
      const hint = opened === -E.EACCES ? describeAccess(access) : undefined;
      fail(action, opened, this.#calls.openCall, name, hint);
    }
    const descriptor = new Descriptor(`segment "${name}"`, opened);
    try {
      if (!statDescriptor(opened).isFile) {
        fail(action, -E.EINVAL, "fstat", name, "It is no shared memory object");
      }
      const sized = prepare(opened) === true;
      return { object: this.#own(name, descriptor), sized };
    } catch (error) {
      descriptor.close();
      throw error;
    }
  }

  /** @returns Whether the object was empty and has its size from this call. */
  #sizeIfEmpty(action: string, name: string, descriptor: number, options: ObjectOptions): boolean {
    const { size, reserve = true } = options;
    const alone = retryWhileBusy(() => flock(descriptor, C.LOCK_EX | C.LOCK_NB));
    if (alone < 0) fail(action, alone, "flock", name);
    if (statDescriptor(descriptor).size > 0) return false;
    const sized = setSize(descriptor, size, reserve);
    if (sized < 0) this.#failSetSize(action, sized, name, size);
    return true;
  }

  #failSetSize(action: string, result: number, name: string, size: number): never {
    const hint = result === -E.ENOSPC ? this.describeRoom(name, size) : undefined;
    return fail(action, result, "posix_fallocate", name, hint);
  }

  /** A sentence on the room that is left, for ENOSPC. */
  describeRoom(name: string, wanted: number): string {
    const directory = this.#calls.directoryOf(name);
    if (directory === undefined) return `${wanted} bytes were wanted`;
    const { bavail, blocks, bsize } = statfsSync(directory);
    const [free, all] = [bavail * bsize, blocks * bsize];
    return (
      `${wanted} bytes were wanted, and ${directory} has ${free} of ${all} free. ` +
      this.#calls.roomHint
    );
  }

  /**
   * Removes a name. With `only`, not unless the name still stands for that object.
   *
   * Two that unlink one object take turns by a lock on it, so the name cannot come to stand for a
   * newer object between the look and the removal, as long as every remover goes through here.
   */
  #unlink(name: string, only?: ObjectStat): boolean {
    const action = `Cannot unlink segment "${name}"`;
    let descriptor = this.#openExisting(name, "readwrite");
    if (descriptor === -E.EACCES) descriptor = this.#openExisting(name, "read");
    if (descriptor === -E.ENOENT) return false;
    if (descriptor < 0) {
      // What cannot be opened (a socket, another user's object) can still be removed by permission.
      if (only !== undefined) fail(action, descriptor, this.#calls.openCall, name);
      return this.#removeName(action, name);
    }
    try {
      const opened = statDescriptor(descriptor);
      if (only !== undefined && !sameObject(opened, only)) return false;
      // -EBADF: opened for reading only; -ENOSYS: no such locks here. Neither can be waited out.
      const locked = retryWhileBusy(() => lockByte(descriptor, UNLINK_BYTE));
      if (locked === -E.EAGAIN)
        fail(action, locked, "fcntl", name, "Another process is removing it");
      const again = this.#openExisting(name, "read");
      if (again >= 0) {
        const still = sameObject(statDescriptor(again), opened);
        close(again);
        if (!still) return false;
      } else if (again === -E.ENOENT) {
        return false;
      }
      return this.#removeName(action, name);
    } finally {
      close(descriptor);
    }
  }

  #removeName(action: string, name: string): boolean {
    const result = this.#calls.unlink(name);
    if (result === -E.ENOENT) return false;
    if (result < 0) fail(action, result, this.#calls.unlinkCall, name);
    return true;
  }
}
