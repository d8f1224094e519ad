/** What differs between the platforms: constants, read from each system's headers. */

/** Values that C headers give as macros. Names are C's, since they are looked up in C's manuals. */
export interface PlatformConstants {
  readonly O_RDONLY: number;
  readonly O_WRONLY: number;
  readonly O_RDWR: number;
  readonly O_CREAT: number;
  readonly O_EXCL: number;
  readonly O_TRUNC: number;
  readonly O_NONBLOCK: number;
  readonly O_CLOEXEC: number;
  readonly PROT_NONE: number;
  readonly PROT_READ: number;
  readonly PROT_WRITE: number;
  readonly MAP_SHARED: number;
  readonly MAP_PRIVATE: number;
  readonly MS_ASYNC: number;
  readonly MS_SYNC: number;
  readonly MADV_NORMAL: number;
  readonly MADV_WILLNEED: number;
  readonly MADV_DONTNEED: number;
  readonly LOCK_SH: number;
  readonly LOCK_EX: number;
  readonly LOCK_NB: number;
  readonly LOCK_UN: number;
  readonly CLOCK_REALTIME: number;
  readonly CLOCK_MONOTONIC: number;
  /** Open-file-description locks; -1 where the platform has none. */
  readonly F_OFD_GETLK: number;
  readonly F_OFD_SETLK: number;
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
}

// Sources: asm-generic/fcntl.h and mman-common.h, linux/time.h, memfd.h, shm.h, sem.h.
const LINUX: PlatformConstants = {
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_TRUNC: 0o1000,
  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
  PROT_NONE: 0,
  PROT_READ: 1,
  PROT_WRITE: 2,
  MAP_SHARED: 1,
  MAP_PRIVATE: 2,
  MS_ASYNC: 1,
  MS_SYNC: 4,
  MADV_NORMAL: 0,
  MADV_WILLNEED: 3,
  MADV_DONTNEED: 4,
  LOCK_SH: 1,
  LOCK_EX: 2,
  LOCK_NB: 4,
  LOCK_UN: 8,
  CLOCK_REALTIME: 0,
  CLOCK_MONOTONIC: 1,
  F_OFD_GETLK: 36,
  F_OFD_SETLK: 37,
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
};

// Sources: xnu bsd/sys/fcntl.h, bsd/sys/mman.h, Libc time.h. Untested.
const DARWIN: PlatformConstants = {
  ...LINUX,
  O_CREAT: 0x200,
  O_EXCL: 0x800,
  O_TRUNC: 0x400,
  O_NONBLOCK: 0x4,
  O_CLOEXEC: 0x1000000,
  MS_SYNC: 0x10,
  CLOCK_MONOTONIC: 6,
  F_OFD_GETLK: 92,
  F_OFD_SETLK: 90,
  F_RDLCK: 1,
  F_WRLCK: 3,
  F_UNLCK: 2,
  F_DUPFD_CLOEXEC: 67,
  F_ADD_SEALS: -1,
  F_GET_SEALS: -1,
  SEM_VALUE_MAX: 32767,
};

// Sources: FreeBSD sys/fcntl.h, sys/mman.h, sys/_clock_id.h. Untested.
const FREEBSD: PlatformConstants = {
  ...LINUX,
  O_CREAT: 0x200,
  O_EXCL: 0x800,
  O_TRUNC: 0x400,
  O_NONBLOCK: 0x4,
  O_CLOEXEC: 0x100000,
  MS_SYNC: 0,
  CLOCK_MONOTONIC: 4,
  F_OFD_GETLK: -1,
  F_OFD_SETLK: -1,
  F_RDLCK: 1,
  F_WRLCK: 3,
  F_UNLCK: 2,
  F_DUPFD_CLOEXEC: 17,
  F_ADD_SEALS: 19,
  F_GET_SEALS: 20,
};

/** One supported operating system. */
export interface Platform {
  readonly constants: PlatformConstants;
  /** Tried in this order for `dlsym`, which then finds everything else. */
  readonly libraries: readonly string[];
  /** Loaded when a symbol is missing: older libcs keep parts of POSIX in separate libraries. */
  readonly extraLibraries: readonly string[];
  /** Returns `int *`, the errno of the calling thread. */
  readonly errnoFunction: "__errno_location" | "__error";
  /** Where shared memory objects can be seen as files. */
  readonly directory: string | undefined;
}

const PLATFORMS: Readonly<Record<string, Platform>> = {
  linux: {
    constants: LINUX,
    // musl answers to libc.so.6 only where the loader maps it; its own name is libc.musl-ARCH.so.1.
    libraries: ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`],
    extraLibraries: ["librt.so.1", "libpthread.so.0"],
    errnoFunction: "__errno_location",
    directory: "/dev/shm",
  },
  darwin: {
    constants: DARWIN,
    libraries: ["libSystem.B.dylib"],
    extraLibraries: [],
    errnoFunction: "__error",
    directory: undefined,
  },
  freebsd: {
    constants: FREEBSD,
    libraries: ["libc.so.7"],
    extraLibraries: ["librt.so.1", "libthr.so.3"],
    errnoFunction: "__error",
    directory: undefined,
  },
};

/** The running platform, or undefined where this package does not work. */
export const PLATFORM: Platform | undefined = PLATFORMS[process.platform];

/** The running platform's macros. On an unsupported platform the load of libc says so first. */
export const C: PlatformConstants = PLATFORM?.constants ?? LINUX;

/** Apple's arm64 passes variadic arguments on the stack: they start after eight fixed ones. */
export const VARIADIC_ON_STACK: boolean = process.platform === "darwin" && process.arch === "arm64";

/** The number of the system call `futex`, which libc does not wrap. */
export const SYS_FUTEX: number | undefined =
  process.platform !== "linux" ? undefined : process.arch === "arm64" ? 98 : 202;
