/**
 * A call into libc or the kernel failed.
 *
 * `code` is the symbolic errno ("ENOENT"), `errno` its number on this platform, `syscall` the
 * function that said so, and `path` the object's name where there is one.
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

/** Bytes in shared memory are not what this version writes: foreign, older, newer or corrupt. */
export class LayoutError extends Error {
  override readonly name = "LayoutError";
  readonly expected: string;
  readonly found: string;
  /** Offset of the offending field in the segment, in bytes. */
  readonly offset: number;

  constructor(message: string, details: { expected: string; found: string; offset: number }) {
    const { expected, found, offset } = details;
    super(`${message}: expected ${expected} at offset ${offset}, found ${found}`);
    this.expected = details.expected;
    this.found = details.found;
    this.offset = details.offset;
  }
}

/** A handle was used after its `close()`. */
export class ClosedError extends Error {
  override readonly name = "ClosedError";

  constructor(what: string) {
    super(`Cannot use ${what}: it is closed`);
  }
}

/** This platform or libc lacks what the call needs. */
export class UnsupportedError extends Error {
  override readonly name = "UnsupportedError";
}
