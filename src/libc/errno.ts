/**
 * The return convention. The wrappers in this folder answer like the kernel does: with a value of
 * zero or more, or with the negated errno. Callers that expect a failure compare the answer with
 * `-E.…`, and the others throw it with `fail`, which adds what they were about to do.
 */
import { type Pointer, read } from "bun:ffi";
import { constants } from "node:os";
import { SystemError } from "../errors.ts";
import { PLATFORM } from "./platform.ts";
import { libc } from "./symbols.ts";

/** The platform's errno numbers by name. */
export const E: Readonly<typeof constants.errno> = constants.errno;

/** The function that returns the address of this thread's errno. */
export const ERRNO_FUNCTION: "__errno_location" | "__error" =
  PLATFORM?.errnoFunction ?? "__errno_location";

// Each thread has its own errno, and each Worker has its own instance of this module.
let errnoPointer: Pointer | undefined;

function errno(): number {
  errnoPointer ??= libc[ERRNO_FUNCTION]() as Pointer;
  return read.i32(errnoPointer, 0);
}

/** For functions that return -1 and set errno. No other call may come in between. */
export function fromErrno(returned: number): number {
  return returned === -1 ? -errno() : returned;
}

/** For functions that return a null pointer and set errno. */
export function fromPointer(returned: Pointer | null): number {
  return returned === null ? -errno() : returned;
}

/** For functions that return the error itself: `posix_fallocate`. */
export function fromError(returned: number): number {
  return -returned;
}

/** Whether a System V call failed because its object never existed, or was removed meanwhile. */
export function isRemoved(result: number): boolean {
  return result === -E.ENOENT || result === -E.EINVAL || result === -E.EIDRM;
}

/** Repeats a call while signals interrupt it; only for calls that do not wait. */
export function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call();
    if (result !== -E.EINTR) return result;
  }
}

let names: Map<number, string> | undefined;

/** The symbolic name of an errno number: 2 is "ENOENT". */
function errnoName(number: number): string {
  if (names === undefined) {
    names = new Map();
    for (const [name, value] of Object.entries(E)) {
      // EAGAIN and EWOULDBLOCK share a number; POSIX's first name wins.
      if (!names.has(value)) names.set(value, name);
    }
  }
  return names.get(number) ?? `errno ${number}`;
}

/** The way out of failures that any call can meet. */
const GENERAL_HINTS: Readonly<Record<number, string | undefined>> = {
  [E.EMFILE]:
    "All descriptors that this process may have are in use: close handles that it needs no more, " +
    "or raise `ulimit -n`",
  [E.ENFILE]: "All descriptors of the machine are in use: sysctl fs.file-max has the limit",
};

/**
 * Throws what a failed wrapper returned, as in `Cannot open segment "/x": ENOENT, no such file or
 * directory`.
 *
 * @param action The start of the message: `Cannot open segment "/x"`.
 * @param result The negated errno.
 * @param hint A sentence on the way out, where there is one.
 */
export function fail(
  action: string,
  result: number,
  syscall: string,
  path?: string,
  hint?: string,
): never {
  const code = errnoName(-result);
  const text = String(libc.strerror(-result)).toLowerCase();
  const way = hint ?? GENERAL_HINTS[-result];
  const message = `${action}: ${code}, ${text}${way === undefined ? "" : `. ${way}`}`;
  throw new SystemError(message, { code, errno: -result, syscall, path });
}
