/**
 * A call into libc or the kernel failed.
 *
 * `code` is the symbolic errno ("ENOENT"), `errno` its number on this platform, `syscall` the
 * function that reported it, and `path` the object's name where there is one.
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
 * What a `StateError` says, by the names of the errno that POSIX has for it:
 *
 * - `EBUSY`: a live holder has it, or something in it is in use;
 * - `EEXIST`: there is one already;
 * - `EPERM`: this handle does not hold what it would release;
 * - `EDEADLK`: this thread has it already, and would wait for itself;
 * - `ENOTRECOVERABLE`: an owner died, and the repair of its data failed;
 * - `ENODATA`: its creator died before it had finished;
 * - `ESTALE`: its name was removed, and may stand for another object.
 */
export type StateCode =
  "EBUSY" | "EEXIST" | "EPERM" | "EDEADLK" | "ENOTRECOVERABLE" | "ENODATA" | "ESTALE";

/** What was asked for does not fit the state of things: this package refuses, not the kernel. */
export class StateError extends Error {
  override readonly name = "StateError";
  readonly code: StateCode;

  constructor(code: StateCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Bytes in shared memory are not what was expected: foreign, of another version, or corrupt. */
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

/** A handle was used after its `close()`. */
export class ClosedError extends Error {
  override readonly name = "ClosedError";
  readonly code = "ECLOSED";

  constructor(what: string) {
    super(`Cannot use ${what}: it is closed`);
  }
}

/** This platform, libc or backing lacks what the call needs. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
  readonly code = "ENOTSUP";
}
