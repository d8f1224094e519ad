/** Which shared memory objects there are, as the file system shows them. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { objectDirectory } from "./room.ts";

/** What is known of an object without opening it. */
export interface SegmentInfo {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Numeric owner. */
  readonly uid: number;
  /** Numeric group. */
  readonly gid: number;
  /** When it was made, or last changed in size or mode. */
  readonly changed: Date;
}

/**
 * Lists every POSIX shared memory object of this machine, in order of name.
 *
 * Does not block. Any process may call it; what it answers is stale the moment it returns.
 * Semaphores are not objects in this sense; `usage` has them, System V segments, and who uses what.
 *
 * @returns One entry an object; empty when there is none.
 * @throws UnsupportedError where the system does not show them (macOS, FreeBSD).
 *
 * @example
 * ```ts
 * for (const { name, size } of listSegments()) console.log(name, size);
 * ```
 */
export function listSegments(): SegmentInfo[] {
  const directory = objectDirectory("Cannot list segments");
  const found: SegmentInfo[] = [];
  for (const file of readdirSync(directory).sort()) {
    if (file.startsWith("sem.")) continue;
    // An object may vanish between the two looks.
    const stat = lstatSync(join(directory, file), { throwIfNoEntry: false });
    if (!stat?.isFile()) continue;
    const { size, mode, uid, gid, ctime } = stat;
    found.push({ name: `/${file}`, size, mode: mode & 0o7777, uid, gid, changed: ctime });
  }
  return found;
}
