/** The rules that POSIX and the kernels give for names of shared memory objects and semaphores. */
import { shown } from "../../arguments.ts";

/** Longest name in bytes, with its slash; the file system's limit. */
export const NAME_MAX = 255;
/** Longest name of a semaphore in bytes: glibc puts "sem." before it. */
export const SEMAPHORE_NAME_MAX = 251;
/** Longest name in bytes that every POSIX system takes; macOS sets it. */
export const PORTABLE_NAME_MAX = 31;

/**
 * Checks the name of a kernel object.
 *
 * @param what The noun for the message: "segment", "semaphore".
 * @param limit Longest name in bytes.
 * @throws TypeError when it is no string; RangeError that names the broken rule.
 */
export function checkObjectName(name: string, what: string, limit: number = NAME_MAX): void {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot use ${shown(name)} as a ${what} name: it is not a string`);
  }
  const refuse = (rule: string): never => {
    throw new RangeError(`Cannot use ${shown(name)} as a ${what} name: ${rule}`);
  };
  if (name.includes("\0")) refuse("it contains a NUL character");
  if (!name.startsWith("/")) refuse(`it must start with "/": try ${shown(`/${name}`)}`);
  if (name.length === 1) refuse('nothing follows the "/"');
  if (name.includes("/", 1)) refuse('it must have no "/" but the first');
  if (name === "/." || name === "/..") refuse("it names a directory");
  const byteLength = Buffer.byteLength(name);
  if (byteLength > limit) {
    const reason = limit === PORTABLE_NAME_MAX ? " on every POSIX system" : "";
    refuse(`it is ${byteLength} bytes long, and at most ${limit} are possible${reason}`);
  }
}
