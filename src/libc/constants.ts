/** The constants of C, by system. */

/** Values that C headers define as macros. The names are C's, which manuals can be searched for. */
export interface PlatformConstants {
  readonly O_RDONLY: number;
  readonly O_RDWR: number;
  readonly O_CREAT: number;
  readonly O_EXCL: number;
  readonly O_NONBLOCK: number;
  readonly O_CLOEXEC: number;
  /** Opens a nameless file in a directory; 0 where there is no such thing. */
  readonly O_TMPFILE: number;
  readonly AT_FDCWD: number;
  readonly AT_SYMLINK_FOLLOW: number;
  /** The flag that keeps `shm_open` from waiting for a FIFO's writer; 0 where it opens no FIFO. */
  readonly SHM_OPEN_NONBLOCK: number;
  /** O_APPEND, where /proc shows the flags of descriptors; 0 elsewhere. */
  readonly PROC_O_APPEND: number;
  /** The bits of a descriptor's flags that say whether it reads or writes. */
  readonly O_ACCMODE: number;
  readonly PROT_READ: number;
  readonly PROT_WRITE: number;
  readonly MAP_SHARED: number;
  readonly MAP_PRIVATE: number;
  readonly MAP_FIXED: number;
  readonly MAP_ANONYMOUS: number;
  readonly MAP_NORESERVE: number;
  /** What `madvise` may be asked for; -1 where the platform has none of it. */
  readonly MADV_POPULATE_READ: number;
  readonly MADV_POPULATE_WRITE: number;
  readonly MADV_COLLAPSE: number;
  readonly MS_SYNC: number;
  readonly MREMAP_MAYMOVE: number;
  readonly CLOCK_REALTIME: number;
  readonly CLOCK_MONOTONIC: number;
  /** Runs while the machine sleeps; where that is CLOCK_MONOTONIC, it is the same number. */
  readonly CLOCK_BOOTTIME: number;
  /** Open-file-description locks; -1 where the platform has none. */
  readonly F_OFD_GETLK: number;
  readonly F_OFD_SETLK: number;
  /** Reserves memory for a file where `posix_fallocate` is missing; -1 elsewhere. */
  readonly F_PREALLOCATE: number;
  /** Leases, and the signal that ends them; -1 where the platform has none. */
  readonly F_SETLEASE: number;
  readonly F_SETSIG: number;
  readonly F_RDLCK: number;
  readonly F_WRLCK: number;
  readonly F_UNLCK: number;
  /** The highest value of a semaphore. */
  readonly SEM_VALUE_MAX: number;
  readonly F_DUPFD_CLOEXEC: number;
  /** Seals of a memfd; -1 where the platform has none. */
  readonly F_ADD_SEALS: number;
  readonly F_GET_SEALS: number;
  readonly F_SEAL_SEAL: number;
  readonly F_SEAL_SHRINK: number;
  readonly F_SEAL_GROW: number;
  readonly MFD_CLOEXEC: number;
  readonly MFD_ALLOW_SEALING: number;
  readonly MFD_HUGETLB: number;
  readonly IPC_CREAT: number;
  readonly IPC_EXCL: number;
  readonly IPC_NOWAIT: number;
  readonly IPC_RMID: number;
  readonly IPC_STAT: number;
  readonly SHM_RDONLY: number;
  readonly SHM_HUGETLB: number;
  readonly SHM_DEST: number;
  readonly SEM_UNDO: number;
  readonly SEM_GETPID: number;
  readonly SEM_GETVAL: number;
  readonly SEM_GETNCNT: number;
  readonly SEM_SETVAL: number;
  readonly AF_UNIX: number;
  readonly SOCK_STREAM: number;
  /** Flags of `socket`'s type; 0 where it takes none. */
  readonly SOCK_NONBLOCK: number;
  readonly SOCK_CLOEXEC: number;
  readonly MSG_DONTWAIT: number;
  /** 0 where `send` cannot be kept from raising SIGPIPE. */
  readonly MSG_NOSIGNAL: number;
  readonly RTLD_LAZY: number;
  readonly RTLD_GLOBAL: number;
  /**
   * The handle by which `dlsym` searches everything that is loaded; null is C's NULL. Undefined
   * where that works for callers in a library only, which compiled code is not.
   */
  readonly RTLD_DEFAULT: number | null | undefined;
}

// Sources: asm-generic/fcntl.h, mman-common.h and errno.h, linux/time.h, memfd.h, shm.h, sem.h,
// socket.h; dlfcn.h of glibc 2.36 and of musl 1.2.3, which agree on these.
export const LINUX: PlatformConstants = {
  O_RDONLY: 0,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
  // It contains O_DIRECTORY, which differs.
  O_TMPFILE: process.arch === "arm64" ? 0o20040000 : 0o20200000,
  AT_FDCWD: -100,
  AT_SYMLINK_FOLLOW: 0x400,
  // glibc's shm_open opens whatever lies in /dev/shm.
  SHM_OPEN_NONBLOCK: 0o4000,
  PROC_O_APPEND: 0o2000,
  O_ACCMODE: 3,
  PROT_READ: 1,
  PROT_WRITE: 2,
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MAP_FIXED: 0x10,
  MAP_ANONYMOUS: 0x20,
  MAP_NORESERVE: 0x4000,
  MADV_POPULATE_READ: 22,
  MADV_POPULATE_WRITE: 23,
  MADV_COLLAPSE: 25,
  MS_SYNC: 4,
  MREMAP_MAYMOVE: 1,
  CLOCK_REALTIME: 0,
  CLOCK_MONOTONIC: 1,
  CLOCK_BOOTTIME: 7,
  F_OFD_GETLK: 36,
  F_OFD_SETLK: 37,
  F_PREALLOCATE: -1,
  F_SETLEASE: 1024,
  F_SETSIG: 10,
  F_RDLCK: 0,
  F_WRLCK: 1,
  F_UNLCK: 2,
  SEM_VALUE_MAX: 2 ** 31 - 1,
  F_DUPFD_CLOEXEC: 1030,
  F_ADD_SEALS: 1033,
  F_GET_SEALS: 1034,
  F_SEAL_SEAL: 1,
  F_SEAL_SHRINK: 2,
  F_SEAL_GROW: 4,
  MFD_CLOEXEC: 1,
  MFD_ALLOW_SEALING: 2,
  MFD_HUGETLB: 4,
  IPC_CREAT: 0o1000,
  IPC_EXCL: 0o2000,
  IPC_NOWAIT: 0o4000,
  IPC_RMID: 0,
  IPC_STAT: 2,
  SHM_RDONLY: 0o10000,
  SHM_HUGETLB: 0o4000,
  SHM_DEST: 0o1000,
  SEM_UNDO: 0x1000,
  SEM_GETPID: 11,
  SEM_GETVAL: 12,
  SEM_GETNCNT: 14,
  SEM_SETVAL: 16,
  AF_UNIX: 1,
  SOCK_STREAM: 1,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  RTLD_LAZY: 0x1,
  RTLD_GLOBAL: 0x100,
  RTLD_DEFAULT: null,
};

// Sources: sys/sem.h of xnu and of FreeBSD, which agree.
const BSD_SEMCTL = { SEM_GETNCNT: 3, SEM_GETPID: 4, SEM_GETVAL: 5, SEM_SETVAL: 8 };

// Sources: xnu bsd/sys/fcntl.h, mman.h, errno.h, sem.h and socket.h, dyld dlfcn.h, Libc time.h.
// Untested.
export const DARWIN: PlatformConstants = {
  ...LINUX,
  ...BSD_SEMCTL,
  O_CREAT: 0x200,
  O_EXCL: 0x800,
  O_NONBLOCK: 0x4,
  O_CLOEXEC: 0x1000000,
  O_TMPFILE: 0,
  AT_FDCWD: -2,
  AT_SYMLINK_FOLLOW: 0x40,
  SHM_OPEN_NONBLOCK: 0,
  PROC_O_APPEND: 0,
  O_ACCMODE: 3,
  MADV_POPULATE_READ: -1,
  MADV_POPULATE_WRITE: -1,
  MADV_COLLAPSE: -1,
  MS_SYNC: 0x10,
  CLOCK_MONOTONIC: 6,
  CLOCK_BOOTTIME: 6,
  F_OFD_GETLK: 92,
  F_OFD_SETLK: 90,
  F_PREALLOCATE: 42,
  F_SETLEASE: -1,
  F_SETSIG: -1,
  F_RDLCK: 1,
  F_WRLCK: 3,
  F_UNLCK: 2,
  F_DUPFD_CLOEXEC: 67,
  F_ADD_SEALS: -1,
  F_GET_SEALS: -1,
  SEM_VALUE_MAX: 32767,
  SOCK_NONBLOCK: 0,
  SOCK_CLOEXEC: 0,
  MSG_DONTWAIT: 0x80,
  // Older kernels, which lack it, take no notice; Bun itself ignores SIGPIPE.
  MSG_NOSIGNAL: 0x80000,
  RTLD_GLOBAL: 0x8,
  RTLD_DEFAULT: -2,
};

// Sources: FreeBSD sys/fcntl.h, mman.h, _clock_id.h, errno.h and socket.h. Untested.
export const FREEBSD: PlatformConstants = {
  ...LINUX,
  ...BSD_SEMCTL,
  O_CREAT: 0x200,
  O_EXCL: 0x800,
  O_NONBLOCK: 0x4,
  O_CLOEXEC: 0x100000,
  O_TMPFILE: 0,
  SHM_OPEN_NONBLOCK: 0,
  PROC_O_APPEND: 0,
  O_ACCMODE: 3,
  MADV_POPULATE_READ: -1,
  MADV_POPULATE_WRITE: -1,
  MADV_COLLAPSE: -1,
  MS_SYNC: 0,
  CLOCK_MONOTONIC: 4,
  CLOCK_BOOTTIME: 4,
  F_OFD_GETLK: -1,
  F_OFD_SETLK: -1,
  F_SETLEASE: -1,
  F_SETSIG: -1,
  F_RDLCK: 1,
  F_WRLCK: 3,
  F_UNLCK: 2,
  F_DUPFD_CLOEXEC: 17,
  F_ADD_SEALS: 19,
  F_GET_SEALS: 20,
  SOCK_NONBLOCK: 0x20000000,
  SOCK_CLOEXEC: 0x10000000,
  MSG_DONTWAIT: 0x80,
  MSG_NOSIGNAL: 0x20000,
  RTLD_DEFAULT: undefined,
};
