/** Finds the functions of libc, and binds them, so that JavaScript can call them. */
import { type FFIFunction, type Pointer, dlopen, linkSymbols } from "bun:ffi";
import { UnsupportedError } from "../errors.ts";
import { type Platform, VARIADIC_ON_STACK } from "./platform.ts";

export interface ArgumentTypes {
  ptr: Pointer | null;
  cstring: string;
  i32: number;
  u32: number;
  i64: number;
  u64: number;
}

export interface ReturnTypes {
  ptr: Pointer | null;
  cstring: string;
  i32: number;
  i64_fast: number;
  void: void;
}

/** A C function. */
export interface Declaration {
  readonly args: readonly (keyof ArgumentTypes)[];
  readonly returns: keyof ReturnTypes;
  /** How many arguments precede the `...` of a variadic function. */
  readonly fixed?: number;
}

type AnyFunction = (...args: never[]) => unknown;

/** The functions of a libc. */
interface LoadedLibc {
  readonly functions: Readonly<Record<string, AnyFunction>>;
  readonly missing: ReadonlySet<string>;
  /** The address of a C function, for deallocators, which the engine calls. */
  addressOf(name: string): Pointer;
}

function refuse(message: string): never {
  throw new UnsupportedError(message);
}

/** Where the package cannot work, it can still be imported: the first call throws. */
function unusable(message: string, names: Iterable<string>): LoadedLibc {
  return {
    functions: new Proxy({}, { get: () => () => refuse(message) }),
    missing: new Set(names),
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

/** Each variadic argument takes 8 bytes of the stack, whatever its type. */
function onStack(args: Declaration["args"], fixed: number): Declaration["args"] {
  const wide = args.slice(fixed).map((type) => (type === "i32" || type === "u32" ? "i64" : type));
  const padding = Array.from({ length: 8 - fixed }, () => "i64" as const);
  return [...args.slice(0, fixed), ...padding, ...wide];
}

function padVariadic(callee: AnyFunction, fixed: number): AnyFunction {
  const padding = Array.from({ length: 8 - fixed }, () => 0);
  return (...args) =>
    callee(...args.slice(0, fixed), ...(padding as never[]), ...args.slice(fixed));
}

/** Finds each function by its name, and binds it on its own. */
export function load(
  platform: Platform | undefined,
  declarations: Readonly<Record<string, Declaration>>,
): LoadedLibc {
  const names = Object.keys(declarations);
  if (platform === undefined) {
    const here = `${process.platform} ${process.arch}`;
    const what = `${here} is not supported (Linux, macOS, FreeBSD are)`;
    return unusable(`Cannot use shared memory: ${what}`, names);
  }
  let bootstrap: Bootstrap;
  try {
    bootstrap = loadBootstrap(platform.libraries);
  } catch (error) {
    const what = `Cannot use shared memory: libc does not load through bun:ffi: ${error}`;
    const isJit = /\bJIT\b/.test(String(error));
    return unusable(isJit ? `${what}. ${whyNoJit().cause}` : what, names);
  }

  const { RTLD_DEFAULT, RTLD_GLOBAL, RTLD_LAZY } = platform.constants;
  const scopes: (number | null)[] = [];
  const search = (libraries: readonly string[]): void => {
    for (const library of libraries) {
      const handle = bootstrap.dlopen(library, RTLD_LAZY | RTLD_GLOBAL);
      if (handle !== null && RTLD_DEFAULT === undefined) scopes.push(handle);
    }
  };
  if (RTLD_DEFAULT === undefined) search(platform.libraries);
  else scopes.push(RTLD_DEFAULT);
  let extras = platform.extraLibraries;
  const find = (name: string): Pointer | null => {
    for (const scope of scopes) {
      const found = bootstrap.dlsym(scope, name);
      if (found !== null) return found;
    }
    if (extras.length === 0) return null;
    search(extras);
    extras = [];
    return find(name);
  };

  const functions: Record<string, AnyFunction> = {};
  const missing = new Set<string>();
  for (const [name, { args, returns, fixed: fixedCount }] of Object.entries(declarations)) {
    const address = find(name);
    if (address === null) {
      missing.add(name);
      functions[name] = () =>
        refuse(`Cannot call ${name}: this system's libc has no such function`);
      continue;
    }
    const fixed = VARIADIC_ON_STACK ? fixedCount : undefined;
    const padded = fixed === undefined ? args : onStack(args, fixed);
    // bun-types does not know the name `i64_fast`.
    const declaration = { args: padded, returns, ptr: address } as unknown as FFIFunction;
    const callee = linkSymbols({ [name]: declaration }).symbols[name] as unknown as AnyFunction;
    functions[name] = fixed === undefined ? callee : padVariadic(callee, fixed);
  }
  return {
    functions,
    missing,
    addressOf: (name) =>
      find(name) ?? refuse(`Cannot find ${name}: this system's libc has no such function`),
  };
}
