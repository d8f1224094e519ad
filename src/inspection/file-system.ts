/** The file system that holds the objects, and the limits around it. */
import { existsSync, readFileSync, statfsSync } from "node:fs";

/** The file system that holds the objects. */
export interface FileSystemInfo {
  /** The directory in which objects are files: "/dev/shm". */
  readonly directory: string;
  /** The type of the mount, which should be "tmpfs". */
  readonly type: string;
  /** The options of the mount: "rw", "nosuid", "size=65536k" … */
  readonly options: readonly string[];
  /** Bytes in all. */
  readonly size: number;
  /** Bytes that are in use. */
  readonly used: number;
  /** Bytes that this user can still take. */
  readonly free: number;
  /** The most files that there can be, and so the most objects. */
  readonly files: number;
  /** Files that can still be made. */
  readonly filesFree: number;
}

/** @returns The text of a file, such as one in /proc; undefined when it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

interface Mount {
  readonly type: string;
  readonly options: readonly string[];
}

/** @returns How a directory is mounted. The last line counts, since the last mount hides others. */
function mountOf(directory: string): Mount | undefined {
  let found: Mount | undefined;
  for (const line of readText("/proc/self/mounts")?.split("\n") ?? []) {
    const [, where, type = "", options = ""] = line.split(" ");
    if (where === directory) found = { type, options: options.split(",") };
  }
  return found;
}

/** @returns What the file system says. @throws Error ENOENT when there is no such directory. */
export function fileSystemInfo(directory: string): FileSystemInfo {
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(directory);
  const mount = mountOf(directory);
  return {
    directory,
    type: mount?.type ?? "no mount of its own",
    options: mount?.options ?? [],
    size: blocks * bsize,
    used: (blocks - bfree) * bsize,
    free: bavail * bsize,
    files,
    filesFree: ffree,
  };
}

/** @returns What this container seems to be: "docker", "podman" …; undefined outside of one. */
export function containerSign(): string | undefined {
  if (existsSync("/.dockerenv")) return "docker";
  if (existsSync("/run/.containerenv")) return "podman";
  if (process.env["KUBERNETES_SERVICE_HOST"]) return "kubernetes";
  return process.env["container"];
}

/** @returns A kernel setting of /proc/sys; one above 2^53 as a bigint, since it is exact. */
export function sysctl(name: string): number | bigint | undefined {
  const text = readText(`/proc/sys/${name.replaceAll(".", "/")}`);
  const word = text?.split(/\s+/)[0];
  if (word === undefined || !/^\d+$/.test(word)) return undefined;
  const value = Number(word);
  return Number.isSafeInteger(value) ? value : BigInt(word);
}
