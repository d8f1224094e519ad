/** What differs between the platforms: constants from each system's headers. */
import { userInfo } from "node:os";
import { join } from "node:path";

import { DARWIN, FREEBSD, LINUX, type PlatformConstants } from "./constants.ts";

/** `struct flock`: offsets in bytes. */
export interface FlockLayout {
  readonly type: number;
  readonly whence: number;
  readonly start: number;
  readonly length: number;
  readonly pid: number;
}

// short l_type, l_whence; off_t l_start, l_len; pid_t l_pid.
const LINUX_FLOCK: FlockLayout = { type: 0, whence: 2, start: 8, length: 16, pid: 24 };
// off_t l_start, l_len; pid_t l_pid; short l_type, l_whence.
const BSD_FLOCK: FlockLayout = { start: 0, length: 8, pid: 16, type: 20, whence: 22 };

/** `struct shmid_ds`: offsets in bytes. What comes before `size` is in `struct semid_ds` too. */
export interface ShmidLayout {
  readonly key: number;
  readonly uid: number;
  readonly gid: number;
  readonly creator: number;
  readonly mode: number;
  readonly size: number;
  readonly changed: number;
  readonly creatorPid: number;
  readonly attachments: number;
}

// ipc_perm (key, uid, gid, cuid, cgid, mode …) in 48 bytes, then shm_segsz, atime, dtime, ctime at
// 8 bytes each, cpid, lpid at 4, nattch. Source: bits/types of 64-bit glibc and musl.
const LINUX_SHMID: ShmidLayout = {
  key: 0,
  uid: 4,
  gid: 8,
  creator: 12,
  mode: 20,
  size: 48,
  changed: 72,
  creatorPid: 80,
  attachments: 88,
};

/** `sem_t`: indices of its 32-bit words. */
export interface SemLayout {
  readonly value: number;
  readonly waiters: number;
  readonly sharing: number;
  /** What `sharing` is in a semaphore that processes share. */
  readonly shared: number;
}

/** glibc's on 64-bit machines: uint64_t data (value, waiters), int private. Source: `new_sem`. */
export const GLIBC_SEM: SemLayout = { value: 0, waiters: 1, sharing: 2, shared: 128 };
/** musl's: int __val[8]. Versions differ in what the value and the waiters mean. */
export const MUSL_SEM: SemLayout = { value: 0, waiters: 1, sharing: 2, shared: 0 };

/** One supported operating system. */
export interface Platform {
  readonly constants: PlatformConstants;
  /** Tried in this order, until one has `dlsym`, which finds everything else. */
  readonly libraries: readonly string[];
  /** Loaded when a symbol is missing: older libcs keep parts of POSIX in separate libraries. */
  readonly extraLibraries: readonly string[];
  /** Returns `int *`, the errno of the calling thread. */
  readonly errnoFunction: "__errno_location" | "__error";
  /** Where the system shows shared memory objects as files. */
  readonly directory: string | undefined;
  /** Where this package makes named objects as files, since the system's own take no locks. */
  readonly ownDirectory: string | undefined;
  readonly flock: FlockLayout;
  /** Undefined where this package does not know it, and so cannot use System V memory. */
  readonly shmid: ShmidLayout | undefined;
  /** Whether a `sockaddr` starts with its own length. */
  readonly sockaddrHasLength: boolean;
  /** The number of the system call `futex`, which libc does not wrap; undefined without one. */
  readonly futexCall: number | undefined;
  /** The number of the system call `membarrier`; undefined without one. */
  readonly membarrierCall: number | undefined;
  /** The numbers of `gettid` and `tkill`; undefined where threads have no such ids. */
  readonly threadCalls: { readonly gettid: number; readonly tkill: number } | undefined;
}

const PLATFORMS: Readonly<Record<string, Platform>> = {
  linux: {
    constants: LINUX,
    // musl is called libc.musl-ARCH.so.1, and libc.so.6 only where the loader maps that name to it.
    libraries: ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`],
    extraLibraries: ["librt.so.1", "libpthread.so.0"],
    errnoFunction: "__errno_location",
    directory: "/dev/shm",
    ownDirectory: undefined,
    flock: LINUX_FLOCK,
    shmid: LINUX_SHMID,
    sockaddrHasLength: false,
    futexCall: process.arch === "arm64" ? 98 : 202,
    membarrierCall: process.arch === "arm64" ? 283 : 324,
    threadCalls:
      process.arch === "arm64" ? { gettid: 178, tkill: 130 } : { gettid: 186, tkill: 200 },
  },
  darwin: {
    constants: DARWIN,
    libraries: ["libSystem.B.dylib"],
    extraLibraries: [],
    errnoFunction: "__error",
    directory: undefined,
    get ownDirectory(): string {
      return join(userInfo().homedir, "Library/Application Support/bun-shm");
    },
    flock: BSD_FLOCK,
    shmid: undefined,
    sockaddrHasLength: true,
    futexCall: undefined,
    membarrierCall: undefined,
    threadCalls: undefined,
  },
  freebsd: {
    constants: FREEBSD,
    libraries: ["libc.so.7"],
    extraLibraries: ["librt.so.1", "libthr.so.3"],
    errnoFunction: "__error",
    directory: undefined,
    ownDirectory: undefined,
    flock: BSD_FLOCK,
    shmid: undefined,
    sockaddrHasLength: true,
    futexCall: undefined,
    membarrierCall: undefined,
    threadCalls: undefined,
  },
};

/** The running platform, or undefined where this package does not work. */
export const PLATFORM: Platform | undefined = PLATFORMS[process.platform];

/** The running platform's macros. On an unsupported platform, loading libc refuses first. */
export const C: PlatformConstants = PLATFORM?.constants ?? LINUX;

/** Apple's arm64 passes variadic arguments on the stack: they start after eight fixed ones. */
export const VARIADIC_ON_STACK: boolean = process.platform === "darwin" && process.arch === "arm64";
