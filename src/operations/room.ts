import { existsSync } from "node:fs";
import { UnsupportedError } from "../errors.ts";
import {
  type FileSystemInfo,
  containerSign,
  fileSystemInfo,
  sysctl,
} from "../inspection/file-system.ts";
import { processLimit } from "../memory/processes.ts";
import { memoryLimit } from "../inspection/control-group.ts";
import { PLATFORM } from "../libc/platform.ts";

/** What bounds shared memory besides its file system; undefined where there is no limit. */
export interface RoomLimits {
  /** What this container seems to be: "docker", "kubernetes" …; undefined outside of one. */
  readonly container: string | undefined;
  /** The tightest memory limit of the control group and of those around it, in bytes. */
  readonly memory: number | undefined;
  /** The largest object (ulimit -f), in bytes. */
  readonly fileSize: number | undefined;
  /** The most locked memory (ulimit -l), in bytes. */
  readonly lockedMemory: number | undefined;
  /** The most open descriptors (ulimit -n). */
  readonly openFiles: number | undefined;
  /** The largest System V segment, in bytes; above 2^53 a bigint, as for the next two. */
  readonly shmmax: number | bigint | undefined;
  /** The most System V memory, in pages. */
  readonly shmall: number | bigint | undefined;
  /** The most System V segments. */
  readonly shmmni: number | bigint | undefined;
}

/** The file system that holds the objects, and the limits around it. */
export interface Room extends FileSystemInfo {
  readonly limits: RoomLimits;
}

/**
 * Tells how much shared memory there can be, and what bounds it. Does not block; the result is
 * stale the moment it is returned.
 *
 * @returns The bytes in all, in use, and free for this user; and the limits.
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

/**
 * @returns The directory in which the system shows its objects as files.
 * @throws UnsupportedError without one.
 */
export function objectDirectory(action: string): string {
  const directory = PLATFORM?.directory;
  if (directory === undefined) {
    throw new UnsupportedError(`${action}: ${process.platform} does not show its objects as files`);
  }
  if (existsSync(directory)) return directory;
  const way = "`bun-shm doctor` says how to mount it";
  throw new UnsupportedError(`${action}: there is no ${directory}. ${way}`);
}
