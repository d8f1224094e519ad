/** Every C function that this package calls, bound when the module loads. */
import { type FFIFunction, type Pointer, dlopen, linkSymbols } from "bun:ffi";
import { UnsupportedError } from "../errors.ts";
import { PLATFORM, type Platform, VARIADIC_ON_STACK } from "./platform.ts";
import { refuseOldBun } from "./runtime.ts";

// An `i64_fast` integer arrives as a number if it fits one, which addresses and sizes always do.
const SYMBOLS = {
  // errno.h, string.h
  __errno_location: { args: [], returns: "ptr" },
  __error: { args: [], returns: "ptr" },
  strerror: { args: ["i32"], returns: "cstring" },
  // sys/mman.h
  shm_open: { args: ["cstring", "i32", "u32"], returns: "i32" },
  shm_unlink: { args: ["cstring"], returns: "i32" },
  memfd_create: { args: ["cstring", "u32"], returns: "i32" },
  // Not "ptr": MAP_FAILED would arrive as a bigint that equals no number.
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "i64_fast" },
  msync: { args: ["ptr", "u64", "i32"], returns: "i32" },
  mremap: { args: ["ptr", "u64", "u64", "i32"], returns: "i64_fast" },
  munmap: { args: ["ptr", "u64"], returns: "i32" },
  // fcntl.h, unistd.h
  open: { args: ["cstring", "i32", "u32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "ptr"], returns: "i32" },
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
  semctl: { args: ["i32", "i32", "i32", "i64"], returns: "i32" },
  // semaphore.h
  sem_open: { args: ["cstring", "i32", "u32", "u32"], returns: "ptr" },
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
  // unistd.h; only for futex, which has no wrapper of its own
  syscall: { args: ["i64", "ptr", "i32", "u32", "ptr", "ptr", "u32"], returns: "i64_fast" },
} as const;

/** How many arguments precede the `...` of a variadic function. */
const FIXED_ARGUMENTS: Readonly<Record<string, number>> = {
  sem_open: 2,
  open: 2,
  fcntl: 2,
  shm_open: 2,
  semctl: 3,
};

interface ArgumentTypes {
  ptr: Pointer | null;
  cstring: string;
  i32: number;
  u32: number;
  i64: number;
  u64: number;
}

interface ReturnTypes {
  ptr: Pointer | null;
  cstring: string;
  i32: number;
  i64_fast: number;
}

interface Declaration {
  readonly args: readonly (keyof ArgumentTypes)[];
  readonly returns: keyof ReturnTypes;
}

type Arguments<A extends readonly (keyof ArgumentTypes)[]> = {
  -readonly [I in keyof A]: ArgumentTypes[A[I]];
};

type CFunction<D extends Declaration> = (
  ...args: Arguments<D["args"]>
) => ReturnTypes[D["returns"]];

type Libc = { readonly [Name in keyof typeof SYMBOLS]: CFunction<(typeof SYMBOLS)[Name]> };
type AnyFunction = (...args: never[]) => unknown;

interface LoadedLibc {
  readonly functions: Libc;
  readonly missing: ReadonlySet<string>;
  /** The address of a C function, for deallocators, which the engine calls. */
  addressOf(name: string): Pointer;
}

function refuse(message: string): never {
  throw new UnsupportedError(message);
}

/** Where the package cannot work, it can still be imported: the first call throws. */
function unusable(message: string): LoadedLibc {
  return {
    functions: new Proxy({} as Libc, { get: () => () => refuse(message) }),
    missing: new Set(Object.keys(SYMBOLS)),
    addressOf: () => refuse(message),
  };
}

const BOOTSTRAP = {
  dlsym: { args: ["ptr", "cstring"], returns: "ptr" },
  dlopen: { args: ["cstring", "i32"], returns: "ptr" },
} as const;

interface Bootstrap {
  dlsym(scope: number | null, name: string): Pointer | null;
  dlopen(library: string, flags: number): Pointer | null;
}

/** Why the engine compiles nothing, without which there is no bun:ffi; and what to do. */
export function whyNoJit(): { readonly cause: string; readonly fix: string } {
  if (/^(0|false|no)$/i.test(process.env["BUN_JSC_useJIT"] ?? "")) {
    return { cause: "BUN_JSC_useJIT turns the JIT off", fix: "unset BUN_JSC_useJIT" };
  }
  return {
    cause: "The system seems to refuse memory that is written and then executed",
    fix: "MemoryDenyWriteExecute=no in systemd's unit; no PR_SET_MDWE; execmem in SELinux",
  };
}

function loadBootstrap(libraries: readonly string[]): Bootstrap {
  let failure: unknown;
  for (const library of libraries) {
    try {
      return dlopen(library, BOOTSTRAP).symbols as unknown as Bootstrap;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function padVariadic(callee: AnyFunction, fixed: number): AnyFunction {
  const padding = Array.from({ length: 8 - fixed }, () => 0);
  return (...args) =>
    callee(...args.slice(0, fixed), ...(padding as never[]), ...args.slice(fixed));
}

function load(platform: Platform | undefined): LoadedLibc {
  if (platform === undefined) {
    const here = `${process.platform} ${process.arch}`;
    return unusable(
      `Cannot use shared memory: ${here} is not supported (Linux, macOS, FreeBSD are)`,
    );
  }
  let bootstrap: Bootstrap;
  try {
    bootstrap = loadBootstrap(platform.libraries);
  } catch (error) {
    const what = `Cannot use shared memory: libc does not load through bun:ffi: ${error}`;
    return unusable(/\bJIT\b/.test(String(error)) ? `${what}. ${whyNoJit().cause}` : what);
  }

  const { RTLD_DEFAULT, RTLD_GLOBAL, RTLD_LAZY } = platform.constants;
  let extrasLoaded = false;
  const find = (name: string): Pointer | null => {
    const found = bootstrap.dlsym(RTLD_DEFAULT, name);
    if (found !== null || extrasLoaded) return found;
    extrasLoaded = true;
    for (const library of platform.extraLibraries) {
      bootstrap.dlopen(library, RTLD_LAZY | RTLD_GLOBAL);
    }
    return bootstrap.dlsym(RTLD_DEFAULT, name);
  };

  const functions: Partial<Record<keyof Libc, AnyFunction>> = {};
  const missing = new Set<string>();
  for (const [name, declared] of Object.entries<Declaration>(SYMBOLS)) {
    const address = find(name);
    if (address === null) {
      missing.add(name);
      functions[name as keyof Libc] = () =>
        refuse(`Cannot call ${name}: this system's libc has no such function`);
      continue;
    }
    const fixed = VARIADIC_ON_STACK ? FIXED_ARGUMENTS[name] : undefined;
    const { args, returns } = declared;
    const padded =
      fixed === undefined
        ? args
        : [
            ...args.slice(0, fixed),
            ...Array.from({ length: 8 - fixed }, () => "i64" as const),
            ...args.slice(fixed),
          ];
    // bun-types does not know the name `i64_fast`.
    const declaration = { args: padded, returns, ptr: address } as unknown as FFIFunction;
    const callee = linkSymbols({ [name]: declaration }).symbols[name] as unknown as AnyFunction;
    functions[name as keyof Libc] = fixed === undefined ? callee : padVariadic(callee, fixed);
  }
  return {
    functions: functions as unknown as Libc,
    missing,
    addressOf: (name) =>
      find(name) ?? refuse(`Cannot find ${name}: this system's libc has no such function`),
  };
}

refuseOldBun();
const loaded: LoadedLibc = load(PLATFORM);

/** libc's functions under their C names and with their C conventions. Only `libc/` calls them. */
export const libc: Libc = loaded.functions;

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

/** The functions that this libc lacks; other platforms' errno functions do not count. */
export function missingSymbols(): string[] {
  return [...loaded.missing].filter((name) => !name.startsWith("__err"));
}
