/** sys/mman.h: shared memory objects and mappings. */
import type { Pointer } from "bun:ffi";
import { fromErrno, uninterrupted } from "./errno.ts";
import { pageSize } from "./fcntl.ts";
import { cPath } from "./path-bytes.ts";
import { C } from "./platform.ts";
import { libc } from "./symbols.ts";

/**
 * `int shm_open(const char *name, int oflag, mode_t mode)`: a descriptor, close-on-exec.
 * Errors: EACCES, EEXIST, EINVAL, EMFILE, ENAMETOOLONG, ENFILE, ENOENT.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/shm_open.html
 */
export function shmOpen(name: string, flags: number, mode: number): number {
  const path = cPath(name);
  return uninterrupted(() => fromErrno(libc.shm_open(path, flags, mode)));
}

/**
 * `int shm_unlink(const char *name)`. Errors: EACCES, ENOENT, EPERM (sticky directory).
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/shm_unlink.html
 */
export function shmUnlink(name: string): number {
  return fromErrno(libc.shm_unlink(cPath(name)));
}

/**
 * `int memfd_create(const char *name, unsigned int flags)`: a descriptor of a nameless object.
 * Linux 3.17, FreeBSD 13. https://man7.org/linux/man-pages/man2/memfd_create.2.html
 */
export function memfdCreate(name: string, flags: number): number {
  return fromErrno(libc.memfd_create(name, flags));
}

/**
 * `void *mmap(void *addr, size_t len, int prot, int flags, int fildes, off_t off)`: the address.
 * `offset` is a multiple of the page size. Errors: EACCES, EAGAIN, EBADF, EINVAL, ENOMEM,
 * EOVERFLOW.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/mmap.html
 */
export function mmap(
  length: number,
  protection: number,
  flags: number,
  descriptor: number,
  offset: number,
  at: number | null = null,
): number {
  const address = at as Pointer | null;
  return fromErrno(Number(libc.mmap(address, length, protection, flags, descriptor, offset)));
}

/**
 * Maps like `mmap`, at an address that is a multiple of `alignment`, which is one of the page size:
 * it reserves more than that first, and gives back what is too much. Linux only.
 */
export function mmapAligned(
  alignment: number,
  length: number,
  protection: number,
  flags: number,
  descriptor: number,
  offset: number,
): number {
  const spare = Math.ceil(length / alignment) * alignment + alignment;
  const reserved = mmap(spare, 0, C.MAP_PRIVATE | C.MAP_ANONYMOUS | C.MAP_NORESERVE, -1, 0);
  if (reserved < 0) return reserved;
  const wanted = Math.ceil(reserved / alignment) * alignment;
  const fixed = flags | C.MAP_FIXED;
  const address = mmap(length, protection, fixed, descriptor, offset, wanted);
  const end = address < 0 ? reserved : wanted + Math.ceil(length / pageSize()) * pageSize();
  if (address > reserved) unmap(reserved, address - reserved);
  unmap(end, reserved + spare - end);
  return address;
}

/**
 * `int madvise(void *addr, size_t length, int advice)`. Errors: EAGAIN, EFAULT, EINVAL (an advice
 * that this kernel does not know, too), ENOMEM. https://man7.org/linux/man-pages/man2/madvise.2.html
 */
export function madvise(address: number, length: number, advice: number): number {
  return uninterrupted(() => fromErrno(libc.madvise(address as Pointer, length, advice)));
}

/**
 * `void *mremap(void *old_address, 0, size_t new_size, MREMAP_MAYMOVE)`: maps a shared mapping's
 * bytes a second time; the address. Linux only. Errors: EINVAL (a private mapping), ENOMEM.
 * https://man7.org/linux/man-pages/man2/mremap.2.html
 */
export function mapAgain(address: number, length: number): number {
  return fromErrno(Number(libc.mremap(address as Pointer, 0, length, C.MREMAP_MAYMOVE)));
}

/**
 * `int munmap(void *addr, size_t len)`: only for what `mapAgain` returned, never for a mapping that
 * an ArrayBuffer owns. https://pubs.opengroup.org/onlinepubs/9799919799/functions/munmap.html
 */
export function unmap(address: number, length: number): number {
  return fromErrno(libc.munmap(address as Pointer, length));
}

/**
 * `int msync(void *addr, size_t len, int flags)`: writes a mapped file's pages back; does nothing
 * for shared memory, which has no disk. Errors: EBUSY, EINVAL, ENOMEM.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/msync.html
 */
export function msync(address: number, length: number): number {
  return fromErrno(libc.msync(address as Pointer, length, C.MS_SYNC));
}
