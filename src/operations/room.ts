import { UnsupportedError } from "../errors.ts";
import {
  type FileSystemInfo,
  containerSign,
  fileSystemInfo,
  memoryLimit,
  processLimit,
  sysctl,
} from "../inspection/file-system.ts";
import { PLATFORM } from "../libc/platform.ts";

/** What bounds shared memory besides the size of its file system; undefined without a bound. */
export interface RoomLimits {
  /** Why this looks like a container: "docker", "kubernetes" … */
  readonly container: string | undefined;
  /** The control group's memory, in bytes. */
  readonly memory: number | undefined;
  /** The largest object (ulimit -f) and locked memory (ulimit -l), in bytes. */
  readonly fileSize: number | undefined;
  readonly lockedMemory: number | undefined;
  /** How many descriptors can be open (ulimit -n). */
  readonly openFiles: number | undefined;
  /** Of System V: bytes of a segment, pages in all, how many segments. */
  readonly shmmax: number | undefined;
  readonly shmall: number | undefined;
  readonly shmmni: number | undefined;
}

/** The file system that holds the objects, and the limits around it. */
export interface Room extends FileSystemInfo {
  readonly limits: RoomLimits;
}

/**
 * How much shared memory there can be, and what bounds it. Does not block; stale at once.
 *
 * @returns Bytes in all, used, and free for this user; and the limits.
 * @throws UnsupportedError where the system does not show its objects (macOS, FreeBSD); the
 *   file system's error ENOENT when there is no such directory.
 *
 * @example
 * ```ts
 * const { directory, free, size } = room();
 * console.log(`${directory} has ${free} of ${size} bytes free`);
 * ```
 */
export function room(): Room {
  const directory = objectDirectory("Cannot tell the room for shared memory");
  return {
    ...fileSystemInfo(directory),
    limits: {
      container: containerSign(),
      memory: memoryLimit(),
      fileSize: bound("Max file size"),
      openFiles: bound("Max open files"),
      lockedMemory: bound("Max locked memory"),
      shmmax: sysctl("kernel.shmmax"),
      shmall: sysctl("kernel.shmall"),
      shmmni: sysctl("kernel.shmmni"),
    },
  };
}

function bound(limit: string): number | undefined {
  const value = processLimit(limit);
  return value === Number.POSITIVE_INFINITY ? undefined : value;
}

/** Where objects are files. @throws UnsupportedError where they are none. */
export function objectDirectory(action: string): string {
  const directory = PLATFORM?.directory;
  if (directory !== undefined) return directory;
  throw new UnsupportedError(`${action}: ${process.platform} does not show its objects as files`);
}
