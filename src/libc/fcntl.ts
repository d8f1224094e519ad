/** fcntl.h and unistd.h: descriptors, their sizes and their locks. */
import { type Pointer, ptr } from "bun:ffi";
import { fstatSync } from "node:fs";
import { constants } from "node:os";
import { E, fromErrno, fromError, uninterrupted } from "./errno.ts";
import { cPath } from "./path-bytes.ts";
import { C, type FlockLayout, PLATFORM } from "./platform.ts";
import { has, libc } from "./symbols.ts";

/**
 * `int open(const char *path, int oflag, mode_t mode)`: a descriptor.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/open.html
 */
export function open(text: string, flags: number, mode = 0): number {
  const path = cPath(text);
  return uninterrupted(() => fromErrno(libc.open(path, flags, mode)));
}

/** `int close(int fildes)`. The descriptor is gone whatever it answers (Linux, FreeBSD). */
export function close(descriptor: number): number {
  return fromErrno(libc.close(descriptor));
}

/**
 * `int unlink(const char *path)`. Errors: EACCES, ENOENT, EPERM, EROFS.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/unlink.html
 */
export function unlink(path: string): number {
  return fromErrno(libc.unlink(path));
}

/**
 * `int linkat(int, const char *, int, const char *, int)`: gives a name to a file that was opened
 * with O_TMPFILE. Errors: EEXIST; ENOENT without /proc, by which it finds the file.
 * https://man7.org/linux/man-pages/man2/open.2.html
 */
export function linkDescriptor(descriptor: number, path: string): number {
  const own = `/proc/self/fd/${descriptor}`;
  return fromErrno(libc.linkat(C.AT_FDCWD, own, C.AT_FDCWD, cPath(path), C.AT_SYMLINK_FOLLOW));
}

// fcntl's third argument is an int here; as a pointer's 64 bits it arrives the same.
const control = (descriptor: number, command: number, argument: number): number =>
  command === -1 ? -E.ENOSYS : fromErrno(libc.fcntl(descriptor, command, argument as Pointer));

/** A second descriptor of the same open file description, close-on-exec (`F_DUPFD_CLOEXEC`). */
export function dup(descriptor: number): number {
  return control(descriptor, C.F_DUPFD_CLOEXEC, 0);
}

/**
 * Forbids some changes to a memfd, for everybody and for good.
 * `fcntl(fd, F_ADD_SEALS, …)`: https://man7.org/linux/man-pages/man2/F_GET_SEALS.2const.html
 */
export function addSeals(descriptor: number, seals: number): number {
  return control(descriptor, C.F_ADD_SEALS, seals);
}

/** The seals of a memfd; -EINVAL for a file that can have none. */
export function getSeals(descriptor: number): number {
  return control(descriptor, C.F_GET_SEALS, 0);
}

/**
 * `int fchmod(int fildes, mode_t mode)`. Errors: EPERM, which a file system without permissions
 * answers too. https://pubs.opengroup.org/onlinepubs/9799919799/functions/fchmod.html
 */
export function fchmod(descriptor: number, mode: number): number {
  return fromErrno(libc.fchmod(descriptor, mode));
}

/**
 * `int ftruncate(int fildes, off_t length)`: sets the size; new bytes read as zero, and no memory
 * is reserved for them. Errors: EBADF, EFBIG, EINVAL, EPERM (sealed).
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/ftruncate.html
 */
export function ftruncate(descriptor: number, size: number): number {
  return uninterrupted(() => fromErrno(libc.ftruncate(descriptor, size)));
}

/**
 * `int posix_fallocate(int fd, off_t offset, off_t len)`: grows to at least `offset + length` with
 * memory reserved, so that touching it cannot fail later. Errors: ENOSPC, EFBIG, EBADF; EOPNOTSUPP,
 * EINVAL where the file system reserves nothing, and glibc does not write zeros in place of that.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/posix_fallocate.html
 */
function posixFallocate(descriptor: number, offset: number, length: number): number {
  return fromError(libc.posix_fallocate(descriptor, offset, length));
}

// fstore_t: u_int32_t fst_flags; int fst_posmode; off_t fst_offset, fst_length, fst_bytesalloc.
const storeBuffer = new ArrayBuffer(32);
const storeView = new DataView(storeBuffer);
const F_ALLOCATEALL = 4;
const F_PEOFPOSMODE = 3;

/**
 * `fcntl(F_PREALLOCATE)` and `ftruncate`, for macOS, which has no `posix_fallocate`. Errors:
 * ENOSPC, ENOTSUP, EINVAL. Source: xnu bsd/sys/fcntl.h. Untested.
 */
function preallocate(descriptor: number, length: number): number {
  if (C.F_PREALLOCATE === -1) return -E.ENOSYS;
  const { size } = fstatSync(descriptor);
  if (size >= length) return 0;
  storeView.setUint32(0, F_ALLOCATEALL, true);
  storeView.setInt32(4, F_PEOFPOSMODE, true);
  storeView.setBigInt64(8, 0n, true);
  storeView.setBigInt64(16, BigInt(length - size), true);
  const result = fromErrno(libc.fcntl(descriptor, C.F_PREALLOCATE, ptr(storeBuffer)));
  return result < 0 ? result : ftruncate(descriptor, length);
}

/**
 * Grows to at least `length` bytes with memory reserved. A signal makes `posix_fallocate` give up
 * what it has done and answer EINTR. So each interrupted piece is followed by one of half its size,
 * and under any storm of signals there is one small enough to be finished.
 */
export function reserveBytes(descriptor: number, length: number): number {
  if (!has("posix_fallocate")) return preallocate(descriptor, length);
  let piece = length;
  for (let done = 0; done < length;) {
    const part = Math.min(piece, length - done);
    const result = posixFallocate(descriptor, done, part);
    if (result === 0) done += part;
    else if (result !== -E.EINTR) return result;
    else piece = Math.max(pageSize(), Math.ceil(part / 2));
  }
  return 0;
}

// An ArrayBuffer, because the engine may move the storage of a small typed array.
const flockBuffer = new ArrayBuffer(32);
const flockView = new DataView(flockBuffer);
const at: FlockLayout | undefined = PLATFORM?.flock;

function byteLock(
  descriptor: number,
  command: number,
  type: number,
  byte: number | bigint,
  length: number | bigint = 1,
): number {
  if (command === -1 || at === undefined) return -E.ENOSYS;
  flockView.setInt16(at.type, type, true);
  flockView.setInt16(at.whence, 0, true);
  flockView.setBigInt64(at.start, BigInt(byte), true);
  flockView.setBigInt64(at.length, BigInt(length), true);
  flockView.setInt32(at.pid, 0, true);
  return uninterrupted(() => fromErrno(libc.fcntl(descriptor, command, ptr(flockBuffer))));
}

function takeByte(descriptor: number, byte: number, type: number): number {
  const result = byteLock(descriptor, C.F_OFD_SETLK, type, byte);
  return result === -E.EACCES ? -E.EAGAIN : result;
}

/**
 * Takes an exclusive lock on one byte for this open file description, without blocking: 0, or
 * -EAGAIN when another description holds it. The byte need not exist. The kernel releases the lock
 * when the description's last descriptor is closed, even by `kill -9`, and across containers. A
 * shared lock that this description holds becomes exclusive. -EBADF without write access.
 * `fcntl(fd, F_OFD_SETLK, …)`: https://man7.org/linux/man-pages/man2/F_OFD_SETLK.2const.html
 */
export function lockByte(descriptor: number, byte: number): number {
  return takeByte(descriptor, byte, C.F_WRLCK);
}

/**
 * Takes a shared lock like `lockByte`: -EAGAIN when another description holds an exclusive one. An
 * exclusive lock that this description holds becomes shared, in one step. Needs only read access.
 */
export function shareByte(descriptor: number, byte: number): number {
  return takeByte(descriptor, byte, C.F_RDLCK);
}

/** Releases the lock that this open file description has on a byte. */
export function unlockByte(descriptor: number, byte: number): number {
  return takeByte(descriptor, byte, C.F_UNLCK);
}

/** Releases every lock that this open file description holds. */
export function releaseLocks(descriptor: number): void {
  // No length: to the end of all offsets.
  byteLock(descriptor, C.F_OFD_SETLK, C.F_UNLCK, 0, 0);
}

/** 1 while another open file description holds the byte in either way, else 0. Takes nothing. */
export function isByteLocked(descriptor: number, byte: number): number {
  const result = byteLock(descriptor, C.F_OFD_GETLK, C.F_WRLCK, byte);
  if (result < 0 || at === undefined) return result;
  return flockView.getInt16(at.type, true) === C.F_UNLCK ? 0 : 1;
}

/** A range of lock bytes. */
export interface LockRange {
  readonly start: bigint;
  readonly length: bigint;
}

/** Takes an exclusive lock like `lockByte` on a range, of which nobody else may hold a part. */
export function lockRange(descriptor: number, { start, length }: LockRange): number {
  const result = byteLock(descriptor, C.F_OFD_SETLK, C.F_WRLCK, start, length);
  return result === -E.EACCES ? -E.EAGAIN : result;
}

/**
 * The exclusive lock of another open file description on a byte. Takes nothing. Shared locks, which
 * need only read access, do not count.
 * @returns Its whole range; undefined when there is none; or a negated errno.
 */
export function findLockRange(descriptor: number, byte: bigint): LockRange | number | undefined {
  const result = byteLock(descriptor, C.F_OFD_GETLK, C.F_RDLCK, byte);
  if (result < 0 || at === undefined) return result;
  if (flockView.getInt16(at.type, true) === C.F_UNLCK) return undefined;
  const start = flockView.getBigInt64(at.start, true);
  return { start, length: flockView.getBigInt64(at.length, true) };
}

/**
 * 1 while another open file description holds the byte exclusively, else 0. Takes nothing. Unlike
 * `isByteLocked` it answers 0 for shared locks.
 */
export function isByteTaken(descriptor: number, byte: number): number {
  const found = findLockRange(descriptor, BigInt(byte));
  if (typeof found === "number") return found;
  return found === undefined ? 0 : 1;
}

/** Takes a lease and gives it back at once: 0 when it was refused, since somebody has the file. */
function tryLease(descriptor: number, type: number): number {
  // The kernel tells a holder by a signal that somebody opens: by one that is ignored by default.
  const signal = control(descriptor, C.F_SETSIG, constants.signals.SIGURG);
  if (signal < 0) return signal;
  const taken = control(descriptor, C.F_SETLEASE, type);
  if (taken < 0) return taken === -E.EAGAIN ? 0 : taken;
  control(descriptor, C.F_SETLEASE, C.F_UNLCK);
  return 1;
}

/**
 * 0 while anybody has the descriptor's file open or mapped with write access; else 1. It is like
 * `isOpenAlone`, but only who opens the file for writing can notice.
 */
export function isUnwritten(descriptor: number): number {
  return tryLease(descriptor, C.F_RDLCK);
}

/**
 * 1 when no other open file description or mapping of the descriptor's file exists, in any process,
 * user or container of the machine; else 0. It takes the kernel's write lease, which only a file
 * that nobody else has open can have, and gives it back at once: whoever opens the file in that
 * instant waits, or with O_NONBLOCK gets EAGAIN. -EACCES for another user's file.
 * `fcntl(fd, F_SETLEASE, F_WRLCK)`: https://man7.org/linux/man-pages/man2/F_GETLEASE.2const.html
 */
export function isOpenAlone(descriptor: number): number {
  return tryLease(descriptor, C.F_WRLCK);
}

let knownPageSize = 0;

/** `int getpagesize(void)`: bytes in a page of memory. */
export function pageSize(): number {
  knownPageSize ||= libc.getpagesize();
  return knownPageSize;
}
