import { resolve } from "node:path";
import { checkInteger, shown } from "../arguments.ts";
import { fail } from "../libc/errno.ts";
import { ftok as cFtok } from "../libc/shm.ts";

/**
 * Computes the System V key that C programs get from `ftok(path, id)`, which is made of the file's
 * inode, its device and the low 8 bits of `id`.
 *
 * Two files can have the same key. The file must stay: a new file of the same name has a different
 * key. Does not block. Any process may call it.
 *
 * @param path An existing file or directory, by any path.
 * @param id An integer from 1 to 255; C programs often pass a letter.
 * @returns The key, for names of the form `sysv:KEY`.
 * @throws SystemError ENOENT, EACCES; RangeError, TypeError for a bad path or id.
 *
 * @example
 * ```ts
 * const key = ftok("/etc/hostname", 65);
 * using segment = Segment.openOrCreate(`sysv:${key}`, { size: 4096 });
 * segment.unlink();
 * ```
 */
export function ftok(path: string, id: number): number {
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    const message = `Cannot make a key: its path must be that of a file, not ${shown(path)}`;
    throw typeof path === "string" ? new RangeError(message) : new TypeError(message);
  }
  const action = `Cannot make a key of ${shown(path)}`;
  checkInteger(action, "its id", id, 1, 255);
  const key = cFtok(resolve(path), id);
  if (key < 0) fail(action, key, "ftok", path);
  return key;
}
