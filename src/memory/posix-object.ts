/** POSIX shared memory objects: a name, a descriptor, a size, and who lives. */
import { fchmodSync, fstatSync, statfsSync } from "node:fs";
import { E, fail } from "../libc/errno.ts";
import { close, flock, ftruncate, lockByte, posixFallocate } from "../libc/fcntl.ts";
import { shmOpen, shmUnlink } from "../libc/mman.ts";
import { C, PLATFORM } from "../libc/platform.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import { Descriptor } from "./descriptor.ts";

// glibc's shm_open opens a FIFO like any file, and would wait for its writer.
const NEVER_BLOCK = process.platform === "linux" ? C.O_NONBLOCK : 0;

/** How long, in ms, one process waits for another that is between two steps of making an object. */
const PATIENCE_MS = 1000;

/**
 * The lock bytes of an object, beyond any offset that holds data. Structures take theirs from 0.
 * UNLINK serialises those who compare a name's inode and then remove the name.
 */
const UNLINK_BYTE = 2 ** 40;

/** What fstat says of an object. */
export interface ObjectStat {
  readonly size: number;
  readonly mode: number;
  readonly inode: bigint;
  readonly device: bigint;
  readonly isFile: boolean;
}

export function statObject(descriptor: number): ObjectStat {
  const stat = fstatSync(descriptor, { bigint: true });
  return {
    size: Number(stat.size),
    mode: Number(stat.mode) & 0o7777,
    inode: stat.ino,
    device: stat.dev,
    isFile: stat.isFile(),
  };
}

function sameObject(a: ObjectStat, b: ObjectStat): boolean {
  return a.inode === b.inode && a.device === b.device;
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

/** Opens an existing object by name: a descriptor, or a negated errno. */
export function openDescriptor(name: string, access: "readwrite" | "read"): number {
  const flags = access === "read" ? C.O_RDONLY : C.O_RDWR;
  return shmOpen(name, flags | NEVER_BLOCK, 0);
}

/** Gives an object its size; with `reserve`, memory for every byte. 0, or a negated errno. */
export function setSize(descriptor: number, size: number, reserve: boolean): number {
  if (!reserve) return ftruncate(descriptor, size);
  return posixFallocate(descriptor, 0, size);
}

/** Throws what `setSize` answered. */
export function failSetSize(action: string, result: number, name: string, size: number): never {
  const hint = result === -E.ENOSPC ? describeFreeSpace(size) : undefined;
  return fail(action, result, "posix_fallocate", name, hint);
}

/** How an object is made. */
export interface ObjectOptions {
  readonly size: number;
  readonly mode?: number;
  readonly reserve?: boolean;
}

/*
 * Who may size an object. Its name appears with size 0, before anyone can give it a size, so:
 *
 *   - only who holds the exclusive flock gives a size to an empty object, and looks again first;
 *   - who joins as a user (shared flock) does so only to an object that has a size.
 *
 * A creator that dies in between leaves an empty object without a lock: `adoptObject` may take the
 * exclusive lock and finish the work. Whoever comes second finds a size, and joins.
 */

/** Makes an object and gives it its size. @returns undefined when the name is taken. */
export function createObject(name: string, options: ObjectOptions): Descriptor | undefined {
  const action = `Cannot create segment "${name}"`;
  const { size, mode = 0o600, reserve = true } = options;
  const flags = C.O_RDWR | C.O_CREAT | C.O_EXCL | NEVER_BLOCK;
  const opened = shmOpen(name, flags, mode);
  if (opened === -E.EEXIST) return undefined;
  if (opened < 0) fail(action, opened, "shm_open", name);
  const descriptor = new Descriptor(`segment "${name}"`, opened);
  try {
    const alone = retryWhileBusy(() => flock(opened, C.LOCK_EX | C.LOCK_NB));
    if (alone < 0) fail(action, alone, "flock", name);
    if (statObject(opened).size > 0) {
      // This process was stopped for so long that another adopted the object.
      descriptor.close();
      return undefined;
    }
    fchmodSync(opened, mode);
    const sized = setSize(opened, size, reserve);
    if (sized < 0) {
      removeName(action, name);
      failSetSize(action, sized, name, size);
    }
    joinUsers(action, name, opened);
    return descriptor;
  } catch (error) {
    descriptor.close();
    throw error;
  }
}

/** Opens an object that has a size, and joins its users. @returns undefined when there is none. */
export function openObject(name: string, access: "readwrite" | "read"): Descriptor | undefined {
  const action = `Cannot open segment "${name}"`;
  return withObject(action, name, access, (descriptor) => {
    if (waitForSize(descriptor) === 0) {
      const hint =
        "It is empty: its creator died before it gave it a size, or never meant to. " +
        "Segment.openOrCreate adopts it, Segment.unlink removes it";
      fail(action, -E.ENODATA, "fstat", name, hint);
    }
    joinUsers(action, name, descriptor);
  })?.descriptor;
}

/** As `openObject`; an abandoned empty one gets its size here. */
export function adoptObject(name: string, options: ObjectOptions): FoundObject | undefined {
  const action = `Cannot open segment "${name}"`;
  return withObject(action, name, "readwrite", (descriptor) => {
    const sized = waitForSize(descriptor) === 0 && sizeIfEmpty(action, name, descriptor, options);
    joinUsers(action, name, descriptor);
    return sized;
  });
}

/** Opens an object that nobody uses, and makes it anew: zero-filled, of the size given. */
export function truncateObject(name: string, options: ObjectOptions): FoundObject | undefined {
  const action = `Cannot truncate segment "${name}"`;
  return withObject(action, name, "readwrite", (descriptor) => {
    if (flock(descriptor, C.LOCK_EX | C.LOCK_NB) < 0) {
      const hint = "Another handle has it open, and cutting it off would end that process (SIGBUS)";
      fail(action, -E.EBUSY, "flock", name, hint);
    }
    const emptied = ftruncate(descriptor, 0);
    if (emptied < 0) fail(action, emptied, "ftruncate", name);
    sizeIfEmpty(action, name, descriptor, options);
    joinUsers(action, name, descriptor);
    return false;
  });
}

/** An object that was there, and whether it got its size from this call. */
export interface FoundObject {
  readonly descriptor: Descriptor;
  readonly sized: boolean;
}

function withObject(
  action: string,
  name: string,
  access: "readwrite" | "read",
  prepare: (descriptor: number) => boolean | void,
): FoundObject | undefined {
  const opened = openDescriptor(name, access);
  if (opened === -E.ENOENT) return undefined;
  if (opened < 0) {
    const hint = opened === -E.EACCES ? describeAccess(access) : undefined;
    fail(action, opened, "shm_open", name, hint);
  }
  const descriptor = new Descriptor(`segment "${name}"`, opened);
  try {
    if (!statObject(opened).isFile) {
      fail(action, -E.EINVAL, "fstat", name, "It is no shared memory object");
    }
    return { descriptor, sized: prepare(opened) === true };
  } catch (error) {
    descriptor.close();
    throw error;
  }
}

function describeAccess(access: "readwrite" | "read"): string {
  if (access === "read") return "It belongs to another user, and its mode keeps this one out";
  return 'Its owner or mode forbids writing; { access: "read" } may do';
}

/** @returns Whether the object was empty and has its size from this call. */
function sizeIfEmpty(
  action: string,
  name: string,
  descriptor: number,
  { size, reserve = true }: ObjectOptions,
): boolean {
  const alone = retryWhileBusy(() => flock(descriptor, C.LOCK_EX | C.LOCK_NB));
  if (alone < 0) fail(action, alone, "flock", name);
  if (statObject(descriptor).size > 0) return false;
  const sized = setSize(descriptor, size, reserve);
  if (sized < 0) failSetSize(action, sized, name, size);
  return true;
}

/** Joins the object's users: a shared `flock`, which the kernel releases with the descriptor. */
function joinUsers(action: string, name: string, descriptor: number): void {
  const result = retryWhileBusy(() => flock(descriptor, C.LOCK_SH | C.LOCK_NB));
  if (result < 0) fail(action, result, "flock", name, "Another process is making or removing it");
}

/** The object's size, once it has one: its creator gets a second. 0 when it stayed empty. */
function waitForSize(descriptor: number): number {
  const deadline = monotonicMs() + PATIENCE_MS;
  for (;;) {
    const { size } = statObject(descriptor);
    if (size > 0 || monotonicMs() >= deadline) return size;
    sleepMs(0.2);
  }
}

/** A sentence on the room that is left, for ENOSPC. */
function describeFreeSpace(wanted: number): string {
  const directory = PLATFORM?.directory;
  if (directory === undefined) return `${wanted} bytes were wanted`;
  const { bavail, blocks, bsize } = statfsSync(directory);
  const [free, all] = [bavail * bsize, blocks * bsize];
  return (
    `${wanted} bytes were wanted, and ${directory} has ${free} of ${all} free. Remove what is ` +
    `not needed there, mount it larger, or start Docker with a larger --shm-size (default 64 MB)`
  );
}

/**
 * Removes a name. With `only`, not unless the name still stands for that object.
 *
 * Two that unlink one object take turns by a lock on it, so the name cannot come to stand for a
 * newer object between the look and the removal, as long as every remover goes through here.
 *
 * @returns Whether this call removed it.
 */
export function unlinkObject(name: string, only?: ObjectStat): boolean {
  const action = `Cannot unlink segment "${name}"`;
  let descriptor = openDescriptor(name, "readwrite");
  if (descriptor === -E.EACCES) descriptor = openDescriptor(name, "read");
  if (descriptor === -E.ENOENT) return false;
  if (descriptor < 0) {
    // What cannot be opened (a socket, another user's object) can still be removed by permission.
    if (only !== undefined) fail(action, descriptor, "shm_open", name);
    return removeName(action, name);
  }
  try {
    const opened = statObject(descriptor);
    if (only !== undefined && !sameObject(opened, only)) return false;
    // -EBADF: opened for reading only; -ENOSYS: no such locks here. Neither can be waited out.
    const locked = retryWhileBusy(() => lockByte(descriptor, UNLINK_BYTE));
    if (locked === -E.EAGAIN) fail(action, locked, "fcntl", name, "Another process is removing it");
    const again = openDescriptor(name, "read");
    if (again >= 0) {
      const still = sameObject(statObject(again), opened);
      close(again);
      if (!still) return false;
    } else if (again === -E.ENOENT) {
      return false;
    }
    return removeName(action, name);
  } finally {
    close(descriptor);
  }
}

function removeName(action: string, name: string): boolean {
  const result = shmUnlink(name);
  if (result === -E.ENOENT) return false;
  if (result < 0) fail(action, result, "shm_unlink", name);
  return true;
}

/**
 * Whether a live process holds the object open as a segment, by the kernel's word. The test takes
 * the lock for an instant, so two tests at once may both say yes; none ever says no wrongly.
 */
export function hasUsers(name: string): boolean {
  const descriptor = openDescriptor(name, "read");
  if (descriptor === -E.ENOENT || descriptor === -E.ENXIO) return false;
  if (descriptor < 0) fail(`Cannot look at segment "${name}"`, descriptor, "shm_open", name);
  try {
    return flock(descriptor, C.LOCK_EX | C.LOCK_NB) === -E.EAGAIN;
  } finally {
    close(descriptor);
  }
}
