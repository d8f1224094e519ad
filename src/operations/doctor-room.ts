/** The checks of the directory of the objects: is there room, and what takes it. */
import { memoryLimit } from "../inspection/control-group.ts";
import { type FileSystemInfo, containerSign, fileSystemInfo } from "../inspection/file-system.ts";
import { type Finding, MIB, inMib, mend, note, ok } from "./finding.ts";
import { type UnlistedMemory, unlisted } from "./unlisted.ts";
import type { ObjectUsage } from "./usage.ts";

/** With less room than this, the file system counts as full. */
const SCARCE_LENGTH = MIB;
/** With less than this part of the room free, it counts as nearly full. */
const NEARLY_FULL = 0.1;
/** With fewer free files than this, the file system counts as full of objects. */
const SCARCE_FILES = 16;
/** The size of /dev/shm in a container that was given none. */
const CONTAINER_DEFAULT_LENGTH = 64 * MIB;

/** @returns What is found of the directory; `objects` is what `usage` returned. */
export function* checkDirectory(
  directory: string,
  objects: readonly ObjectUsage[],
): Generator<Finding> {
  let info: FileSystemInfo;
  try {
    info = fileSystemInfo(directory);
  } catch {
    const fix = `mkdir -p ${directory} && mount -t tmpfs -o mode=1777 tmpfs ${directory}`;
    yield mend("directory", `There is no ${directory}, so no object can be made.`, fix);
    return;
  }
  const { type, options, size, free } = info;
  if (type === "tmpfs") {
    yield ok("directory", `${directory} is a tmpfs (${options.join(",")}).`);
  } else {
    const text = `${directory} is no tmpfs but ${type}: objects may lie on a disk.`;
    yield note("directory", text, `mount -t tmpfs -o mode=1777 tmpfs ${directory}`);
  }
  if (options.includes("ro")) {
    const text = `${directory} is mounted read-only, so no object can be made.`;
    yield mend("mount", text, `mount -o remount,rw ${directory}`);
  } else if (options.includes("noexec")) {
    yield ok("mount", `${directory} is mounted noexec, which does not matter to data.`);
  }
  const hidden = unlisted();
  yield checkSize(info, objects, hidden);
  yield* checkUnlisted(directory, hidden);
  yield* checkCounts(info);
  const limit = memoryLimit();
  if (limit !== undefined && limit < size) {
    const text =
      `The control group allows ${inMib(limit)} of memory, less than ${directory} seems to have ` +
      `(${inMib(size)}): its objects count, and the kernel kills who goes over.`;
    yield note("memory", text, "Raise the memory limit, or keep the objects smaller");
  } else {
    yield ok("memory", `${inMib(free)} of shared memory can still be taken.`);
  }
}

function checkSize(
  { directory, size, free }: FileSystemInfo,
  objects: readonly ObjectUsage[],
  hidden: readonly UnlistedMemory[],
): Finding {
  const container = containerSign();
  const grow =
    container === undefined
      ? `bun-shm df --grow ${inMib(Math.max(size * 2, 256 * MIB)).replace(" MiB", "M")}`
      : "start the container with a larger --shm-size (Kubernetes: an emptyDir of medium Memory)";
  const leftover = objects
    .filter(({ state, backing }) => state === "orphaned" && backing === "posix")
    .reduce((sum, { used }) => sum + used, 0);
  /** What to do so that this much is free: what cannot help is not offered. */
  const fixFor = (wanted: number): string => {
    const steps = [];
    if (free + leftover >= wanted) steps.push("bun-shm prune");
    if (hidden.some(({ kind, used }) => kind === "removed" && used >= wanted - free)) {
      steps.push("end the processes that keep removed objects (below)");
    }
    if (hidden.some(({ kind, used }) => kind === "directory" && used >= wanted - free)) {
      steps.push(`remove what lies in directories of ${directory} (below)`);
    }
    return [...steps, grow].join(", or ");
  };
  if (free < SCARCE_LENGTH) {
    const text = `${directory} is full: ${free} of ${size} bytes are free.`;
    return mend("size", text, fixFor(SCARCE_LENGTH));
  }
  if (size <= CONTAINER_DEFAULT_LENGTH) {
    const text = `${directory} has ${inMib(size)}, the small default of containers.`;
    return note("size", text, grow);
  }
  if (free < size * NEARLY_FULL) {
    const text = `${directory} is nearly full: ${inMib(free)} of ${inMib(size)} are free.`;
    return note("size", text, fixFor(size * NEARLY_FULL));
  }
  return ok("size", `${directory} has ${inMib(free)} of ${inMib(size)} free.`);
}

/** The most of each kind that are named. */
const NAMED_MAX = 5;

function* checkUnlisted(directory: string, hidden: readonly UnlistedMemory[]): Generator<Finding> {
  const large = hidden.filter(({ used }) => used >= SCARCE_LENGTH);
  const removed = large.filter(({ kind }) => kind === "removed");
  if (removed.length > 0) {
    const named = removed.slice(0, NAMED_MAX).map(({ name, used, users }) => {
      const who = users.map(({ pid }) => pid).join(", ") || "a process out of sight";
      return `${name} (${inMib(used)}: ${who})`;
    });
    const text = `Objects whose names were removed keep memory in processes: ${named.join(", ")}.`;
    yield note("removed", text, "End these processes, or let them close the objects");
  }
  const directories = large.filter(({ kind }) => kind === "directory");
  if (directories.length > 0) {
    const named = directories.slice(0, NAMED_MAX).map(({ name, used }) => {
      return `${directory}${name} (${inMib(used)})`;
    });
    const text = `Directories, in which no object is, take memory: ${named.join(", ")}.`;
    yield note("directories", text, "Remove what is not needed there: prune leaves directories");
  }
}

/** Inodes and quotas, which end before the bytes do. */
function* checkCounts({
  directory,
  files,
  filesFree,
  options,
}: FileSystemInfo): Generator<Finding> {
  if (files > 0 && filesFree < SCARCE_FILES) {
    const text = `${directory} has room for ${filesFree} more objects of ${files} (inodes).`;
    yield mend("objects", text, `mount -o remount,nr_inodes=${files * 2} ${directory}`);
  }
  const quotas = options.filter((option) => /^(usr|grp)?quota/.test(option));
  if (quotas.length > 0) {
    const text = `${directory} has quotas (${quotas.join(",")}), which free bytes do not show.`;
    yield note("quota", text, `quota -v, or mount -o remount with larger limits of ${directory}`);
  }
}
