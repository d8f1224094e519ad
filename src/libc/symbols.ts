/** Every C function that this package calls, bound when the module loads. */
import type { Pointer } from "bun:ffi";
import { type ArgumentTypes, type Declaration, type ReturnTypes, load } from "./loader.ts";
import { PLATFORM } from "./platform.ts";
import { refuseOldBun } from "./runtime.ts";

// An `i64_fast` integer arrives as a number if it fits one, which addresses and sizes always do.
const SYMBOLS = {
  // errno.h, string.h
  __errno_location: { args: [], returns: "ptr" },
  __error: { args: [], returns: "ptr" },
  strerror: { args: ["i32"], returns: "cstring" },
  memcpy: { args: ["ptr", "ptr", "u32"], returns: "void" },
  // sys/mman.h
  shm_open: { args: ["cstring", "i32", "u32"], returns: "i32", fixed: 2 },
  shm_unlink: { args: ["cstring"], returns: "i32" },
  memfd_create: { args: ["cstring", "u32"], returns: "i32" },
  // Not "ptr": MAP_FAILED would arrive as a bigint that equals no number.
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "i64_fast" },
  msync: { args: ["ptr", "u64", "i32"], returns: "i32" },
  mremap: { args: ["ptr", "u64", "u64", "i32"], returns: "i64_fast" },
  munmap: { args: ["ptr", "u64"], returns: "i32" },
  madvise: { args: ["ptr", "u64", "i32"], returns: "i32" },
  // fcntl.h, unistd.h
  open: { args: ["cstring", "i32", "u32"], returns: "i32", fixed: 2 },
  fcntl: { args: ["i32", "i32", "ptr"], returns: "i32", fixed: 2 },
  fchmod: { args: ["i32", "u32"], returns: "i32" },
  ftruncate: { args: ["i32", "i64"], returns: "i32" },
  posix_fallocate: { args: ["i32", "i64", "i64"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  unlink: { args: ["cstring"], returns: "i32" },
  linkat: { args: ["i32", "cstring", "i32", "cstring", "i32"], returns: "i32" },
  getpagesize: { args: [], returns: "i32" },
  // sys/ipc.h, sys/shm.h, sys/sem.h
  ftok: { args: ["cstring", "i32"], returns: "i32" },
  shmget: { args: ["i32", "u64", "i32"], returns: "i32" },
  shmat: { args: ["i32", "ptr", "i32"], returns: "i64_fast" },
  shmdt: { args: ["ptr"], returns: "i32" },
  shmctl: { args: ["i32", "i32", "ptr"], returns: "i32" },
  semget: { args: ["i32", "i32", "i32"], returns: "i32" },
  semtimedop: { args: ["i32", "ptr", "u64", "ptr"], returns: "i32" },
  semctl: { args: ["i32", "i32", "i32", "i64"], returns: "i32", fixed: 3 },
  // semaphore.h
  sem_open: { args: ["cstring", "i32", "u32", "u32"], returns: "ptr", fixed: 2 },
  sem_close: { args: ["ptr"], returns: "i32" },
  sem_unlink: { args: ["cstring"], returns: "i32" },
  sem_init: { args: ["ptr", "i32", "u32"], returns: "i32" },
  sem_post: { args: ["ptr"], returns: "i32" },
  sem_trywait: { args: ["ptr"], returns: "i32" },
  sem_timedwait: { args: ["ptr", "ptr"], returns: "i32" },
  sem_clockwait: { args: ["ptr", "i32", "ptr"], returns: "i32" },
  sem_getvalue: { args: ["ptr", "ptr"], returns: "i32" },
  // sys/socket.h
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i64_fast" },
  // gnu/libc-version.h; its presence tells glibc from musl
  gnu_get_libc_version: { args: [], returns: "ptr" },
  // time.h
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  nanosleep: { args: ["ptr", "ptr"], returns: "i32" },
  // os/os_sync_wait_on_address.h and sys/ulock.h of macOS
  os_sync_wait_on_address_with_timeout: {
    args: ["ptr", "u64", "u64", "u32", "u32", "u64"],
    returns: "i32",
  },
  os_sync_wake_by_address_all: { args: ["ptr", "u64", "u32"], returns: "i32" },
  os_sync_wake_by_address_any: { args: ["ptr", "u64", "u32"], returns: "i32" },
  __ulock_wait: { args: ["u32", "ptr", "u64", "u32"], returns: "i32" },
  __ulock_wake: { args: ["u32", "ptr", "u64"], returns: "i32" },
  // unistd.h; only for futex, which has no wrapper of its own
  syscall: { args: ["i64", "ptr", "i32", "u32", "ptr", "ptr", "u32"], returns: "i64_fast" },
} as const;

type Arguments<A extends readonly (keyof ArgumentTypes)[]> = {
  -readonly [I in keyof A]: ArgumentTypes[A[I]];
};

type CFunction<D extends Declaration> = (
  ...args: Arguments<D["args"]>
) => ReturnTypes[D["returns"]];

type Libc = { readonly [Name in keyof typeof SYMBOLS]: CFunction<(typeof SYMBOLS)[Name]> };

refuseOldBun();
const loaded = load(PLATFORM, SYMBOLS);

/** libc's functions under their C names and with their C conventions. Only `libc/` calls them. */
export const libc: Libc = loaded.functions as Libc;

/** Whether libc has a function, which some platforms lack. */
export function has(name: keyof Libc): boolean {
  return !loaded.missing.has(name);
}

/** The address of a C function, for use as a deallocator. */
export function addressOf(name: string): Pointer {
  return loaded.addressOf(name);
}

/** A C function as `linkSymbols` takes it. */
export interface LinkedFunction extends Declaration {
  readonly ptr: Pointer;
}

/** A function for another thread to link: addresses are the same in all threads of a process. */
export function linkable(name: keyof Libc): LinkedFunction {
  return { ...SYMBOLS[name], ptr: addressOf(name) };
}

/** The functions that this libc lacks; those of other platforms only do not count. */
export function missingSymbols(): string[] {
  return [...loaded.missing].filter((name) => !/^(__|os_)/.test(name));
}
