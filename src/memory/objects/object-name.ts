/** The rules that POSIX and the kernels give for names of shared memory objects and semaphores. */
import { shown } from "../../arguments.ts";
import { unspelled } from "../../libc/name-spelling.ts";
import { pathBytes } from "../../libc/path-bytes.ts";

/** How many bytes a name can have with its slash: the file system allows 255 without it. */
export const NAME_MAX = 256;
/**
 * What comes before a semaphore's name in that of its file. glibc puts it there; musl does not, and
 * is given names that have it, so that no semaphore has the file of a segment.
 */
export const SEMAPHORE_FILE_PREFIX = "sem.";
/** How many bytes a semaphore's name can have, without that. */
export const SEMAPHORE_NAME_MAX = 252;
/** How many bytes a name can have on every POSIX system; macOS sets the limit. */
export const PORTABLE_NAME_MAX = 31;

/** Such a text has no UTF-8 of its own: two names would be one. */
export const ILL_FORMED = "it has half of a surrogate pair, which is no character";

/**
 * Checks the name of a kernel object.
 *
 * @param what The noun in the message: "segment", "semaphore".
 * @param limit How many bytes the name can have.
 * @throws TypeError when it is not a string; RangeError that names the broken rule.
 */
export function checkObjectName(name: string, what: string, limit: number = NAME_MAX): void {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot use ${shown(name)} as a ${what} name: it is not a string`);
  }
  const refuse = (rule: string): never => {
    throw new RangeError(`Cannot use ${shown(name)} as a ${what} name: ${rule}`);
  };
  const path = unspelled(name);
  if (path.includes("\0")) refuse("it contains a NUL character");
  if (!name.isWellFormed()) refuse(ILL_FORMED);
  if (!name.startsWith("/")) refuse(`it must start with "/": try ${shown(`/${name}`)}`);
  if (name.length === 1) refuse('nothing follows the "/"');
  if (path.includes("/", 1)) refuse('it must have no "/" but the first');
  if (path === "/." || path === "/..") refuse("it names a directory");
  const byteLength = pathBytes(path).length;
  if (byteLength > limit) {
    const reason = limit === PORTABLE_NAME_MAX ? " on every POSIX system" : "";
    refuse(`it is ${byteLength} bytes long, and at most ${limit} are allowed${reason}`);
  }
}
