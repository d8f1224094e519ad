/**
 * A call into libc or the kernel failed.
 *
 * `code` is the symbolic errno ("ENOENT"), `errno` is its number on this platform, `syscall` is the
 * function that reported it, and `path` is the object's name, where it has one.
 */
export class SystemError extends Error {
  override readonly name = "SystemError";
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path: string | undefined;

  constructor(
    message: string,
    details: { code: string; errno: number; syscall: string; path?: string | undefined },
  ) {
    super(message);
    this.code = details.code;
    this.errno = details.errno;
    this.syscall = details.syscall;
    this.path = details.path;
  }
}

/**
 * Why a `StateError` was thrown, by the errno name that POSIX has for the reason:
 *
 * - `EBUSY`: a live holder has it, or something in it is in use;
 * - `EEXIST`: one exists already;
 * - `EPERM`: this handle does not hold what it was asked to release, or the object belongs to
 *   another user, whom the option `owner` does not name;
 * - `EDEADLK`: this thread holds it already, and would wait for itself;
 * - `ENOTRECOVERABLE`: an owner died, and the repair of its data failed;
 * - `ENODATA`: it is empty or unfinished, and nobody is making it;
 * - `ENOSPC`: what it can hold is all in use, and nothing in it becomes free;
 * - `ESTALE`: its name was removed, and may now belong to another object;
 * - `ETIMEDOUT`: it took longer than the caller's `timeoutMs`, where there is no value to return.
 */
export type StateCode =
  | "EBUSY"
  | "EEXIST"
  | "EPERM"
  | "EDEADLK"
  | "ENOTRECOVERABLE"
  | "ENODATA"
  | "ENOSPC"
  | "ESTALE"
  | "ETIMEDOUT";

/** The state of an object does not allow the call; this package refuses it, and not the kernel. */
export class StateError extends Error {
  override readonly name = "StateError";
  readonly code: StateCode;

  constructor(code: StateCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The bytes in shared memory are not the expected ones: foreign, another version's, or corrupt. */
export class LayoutError extends Error {
  override readonly name = "LayoutError";
  readonly code = "ELAYOUT";
  readonly expected: string;
  readonly found: string;
  /** Offset of the offending field from the start of the segment, in bytes. */
  readonly offset: number;

  constructor(message: string, details: { expected: string; found: string; offset: number }) {
    const { expected, found, offset } = details;
    super(`${message}: expected ${expected} at offset ${offset}, found ${found}`);
    this.expected = expected;
    this.found = found;
    this.offset = offset;
  }
}

/** Whether `bun --hot` runs this, which loads modules again in the same process. */
export const IS_HOT: boolean = process.execArgv.includes("--hot");

/** What a message about a live holder adds under `bun --hot`: it may be unreachable by now. */
export const RELOAD_HINT: string = IS_HOT
  ? ". After a hot reload that may be an older load of this module: keep handles on globalThis, " +
    "and close them when it is loaded again"
  : "";

const CLOSED_HINT = IS_HOT
  ? ", perhaps because a newer load of this module has taken its place. A timer or loop of the " +
    "older load goes on until it is stopped"
  : "";

/** A handle was used after its `close()`. */
export class ClosedError extends Error {
  override readonly name = "ClosedError";
  readonly code = "ECLOSED";

  constructor(what: string) {
    super(`Cannot use ${what}: it is closed${CLOSED_HINT}`);
  }
}

/**
 * What another process threw, as it told of it: with the name, the message and the code that the
 * error had there. Its class and its stack did not cross.
 */
export class RemoteError extends Error {
  override readonly name: string;
  /** The code that it had there; "EREMOTE" if it had none. */
  readonly code: string | number;

  constructor(
    message: string,
    { name = "Error", code = "EREMOTE" }: { name?: string; code?: string | number } = {},
  ) {
    super(message);
    this.name = name;
    this.code = code;
  }
}

/** This platform, this libc or this kind of memory lacks what the call needs. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
  readonly code = "ENOTSUP";
}
