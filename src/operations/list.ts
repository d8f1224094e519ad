/** Lists the shared memory objects that the file system shows. */
import { objectOfFile } from "../inspection/inspect.ts";
import { filesIn } from "./object-files.ts";
import { objectDirectory } from "./room.ts";

/** What can be known of an object without opening it. */
export interface SegmentInfo {
  /** The name, as `Segment.open` takes it: a byte that is not UTF-8 is `\\xHH`. */
  readonly name: string;
  /** Bytes of the object. */
  readonly size: number;
  /** The permission bits. */
  readonly mode: number;
  /** The owner's number. */
  readonly uid: number;
  /** The group's number. */
  readonly gid: number;
  /** When the object was made, or its size or mode last changed. */
  readonly changed: Date;
}

/**
 * Lists every POSIX shared memory object of this machine.
 *
 * Does not block. Any process may call it; the list is stale the moment it is returned. It has no
 * semaphores; `usage` lists them too, and System V segments, and the users of each.
 *
 * @returns An entry for each object, in order of name; empty when there is none.
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
  for (const { file, stat } of filesIn(directory)) {
    const { type, name } = objectOfFile(file);
    if (type === "semaphore" || !stat.isFile()) continue;
    const { size, mode, uid, gid, ctime } = stat;
    found.push({ name, size, mode: mode & 0o7777, uid, gid, changed: ctime });
  }
  return found;
}
