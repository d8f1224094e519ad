/** The file system that holds the objects, and the limits around it. */
import { existsSync, readFileSync, statfsSync } from "node:fs";

/** What can be known of the file system that holds the objects. */
export interface FileSystemInfo {
  readonly directory: string;
  /** "tmpfs" where all is well. */
  readonly type: string;
  /** "rw", "nosuid", "size=65536k" … */
  readonly options: readonly string[];
  /** Bytes. */
  readonly size: number;
  readonly used: number;
  /** Bytes that this user can still take. */
  readonly free: number;
  readonly files: number;
  readonly filesFree: number;
}

/** The text of a file, such as one under /proc; undefined when it cannot be read. */
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

/** How a directory is mounted: the last line wins, as the last mount does. */
function mountOf(directory: string): Mount | undefined {
  let found: Mount | undefined;
  for (const line of readText("/proc/self/mounts")?.split("\n") ?? []) {
    const [, where, type = "", options = ""] = line.split(" ");
    if (where === directory) found = { type, options: options.split(",") };
  }
  return found;
}

/** @throws Error ENOENT when there is no such directory. */
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

/** Why this looks like a container, or undefined. */
export function containerSign(): string | undefined {
  if (existsSync("/.dockerenv")) return "docker";
  if (existsSync("/run/.containerenv")) return "podman";
  if (process.env["KUBERNETES_SERVICE_HOST"]) return "kubernetes";
  return process.env["container"];
}

/** The memory limit of the control group in bytes; undefined without one. */
export function memoryLimit(): number | undefined {
  const text =
    readText("/sys/fs/cgroup/memory.max") ??
    readText("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  const limit = Number(text);
  // Version 1 says "no limit" by a number near 2^63.
  return text !== undefined && Number.isFinite(limit) && limit < 2 ** 60 ? limit : undefined;
}

/** A soft limit of this process by its name in /proc/self/limits; Infinity when unlimited. */
export function processLimit(name: string): number | undefined {
  const line = readText("/proc/self/limits")
    ?.split("\n")
    .find((row) => row.startsWith(name));
  const soft = line?.slice(26).trim().split(/\s+/)[0];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

/** A kernel setting under /proc/sys as a number; the biggest ones are rounded. */
export function sysctl(name: string): number | undefined {
  const text = readText(`/proc/sys/${name.replaceAll(".", "/")}`);
  return text === undefined ? undefined : Number(text.split(/\s+/)[0]);
}
