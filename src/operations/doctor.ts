import { shellWord, visible } from "../arguments.ts";
import type { SystemError } from "../errors.ts";
import { PLATFORM } from "../libc/platform.ts";
import { missingSymbols } from "../libc/symbols.ts";
import {
  containerSign,
  fileSystemInfo,
  memoryLimit,
  processLimit,
  sysctl,
  type FileSystemInfo,
} from "../inspection/file-system.ts";
import { posixObjects } from "../memory/objects/posix-object.ts";
import { posixName } from "../memory/objects/segment-name.ts";
import { forEachStructure } from "./activities.ts";
import { usage } from "./usage.ts";

/** The result of one check. */
export interface Finding {
  /** A short name of the check: "size", "permissions" … */
  readonly check: string;
  /** "mend": something fails, or will fail. "note": something is worth knowing. */
  readonly status: "ok" | "note" | "mend";
  /** What was found, in one plain sentence. */
  readonly text: string;
  /** The command, or the step, that mends it. */
  readonly fix?: string;
}

const MIB = 2 ** 20;
/** With less room than this, the file system counts as full. */
const SCARCE_LENGTH = MIB;
/** The size of /dev/shm in a container that was given none. */
const CONTAINER_DEFAULT_LENGTH = 64 * MIB;

const ok = (check: string, text: string): Finding => ({ check, status: "ok", text });
const note = (check: string, text: string, fix?: string): Finding =>
  fix === undefined ? { check, status: "note", text } : { check, status: "note", text, fix };
const mend = (check: string, text: string, fix: string): Finding => ({
  check,
  status: "mend",
  text,
  fix,
});

const inMib = (bytes: number): string => `${Math.floor(bytes / MIB)} MiB`;

/**
 * Checks everything on this machine that makes shared memory fail: runtime, libc, /dev/shm, its
 * size and permissions, limits, leftover objects. It makes one small object for an instant. Does
 * not block; the result is stale the moment it is returned.
 *
 * @returns A finding for each check; those of status "mend" need to be mended.
 *
 * @example
 * ```ts
 * for (const { status, text, fix } of doctor()) {
 *   if (status === "mend") console.log(text, fix);
 * }
 * ```
 */
export function doctor(): Finding[] {
  const findings = [...checkRuntime()];
  if (PLATFORM === undefined) return findings;
  const { directory } = PLATFORM;
  if (directory === undefined) {
    findings.push(note("directory", `${process.platform} does not show its objects as files.`));
  } else {
    findings.push(...checkDirectory(directory));
  }
  findings.push(...checkPermission(), ...checkLimits());
  if (directory !== undefined) findings.push(...checkLeftovers());
  return findings;
}

function* checkRuntime(): Generator<Finding> {
  yield ok("runtime", `Bun ${Bun.version} on ${process.platform} ${process.arch}.`);
  if (PLATFORM === undefined) {
    const text = `${process.platform} ${process.arch} is not supported.`;
    yield mend("platform", text, "Use Linux, macOS or FreeBSD");
    return;
  }
  const missing = missingSymbols();
  if (missing.includes("shm_open")) {
    const text = "libc does not load through bun:ffi (with BUN_JSC_useJIT=0 it never does).";
    yield mend("libc", text, "unset BUN_JSC_useJIT");
  } else if (missing.length > 0) {
    yield note("libc", `This libc has no ${missing.join(", ")}; what needs it says so.`);
  } else {
    yield ok("libc", "Every function that is needed is there.");
  }
}

function* checkDirectory(directory: string): Generator<Finding> {
  let info: FileSystemInfo;
  try {
    info = fileSystemInfo(directory);
  } catch {
    const fix = `mkdir -p ${directory} && mount -t tmpfs -o mode=1777 tmpfs ${directory}`;
    yield mend("directory", `There is no ${directory}, so no object can be made.`, fix);
    return;
  }
  const { type, options, size, free, files, filesFree } = info;
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
  yield checkSize(info);
  if (files > 0 && filesFree < 16) {
    const text = `${directory} has room for ${filesFree} more objects of ${files}.`;
    yield mend("objects", text, `mount -o remount,nr_inodes=${files * 2} ${directory}`);
  }
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

function checkSize({ directory, size, free }: FileSystemInfo): Finding {
  const container = containerSign();
  const grow =
    container === undefined
      ? `bun-shm df --grow ${inMib(Math.max(size * 2, 256 * MIB)).replace(" MiB", "M")}`
      : "start the container with a larger --shm-size (Kubernetes: an emptyDir of medium Memory)";
  if (free < SCARCE_LENGTH) {
    const text = `${directory} is full: ${free} of ${size} bytes are free.`;
    return mend("size", text, `bun-shm prune, or ${grow}`);
  }
  if (size <= CONTAINER_DEFAULT_LENGTH) {
    const text = `${directory} has ${inMib(size)}, the small default of containers.`;
    return note("size", text, grow);
  }
  if (free < size / 10) {
    const text = `${directory} is nearly full: ${inMib(free)} of ${inMib(size)} are free.`;
    return note("size", text, `bun-shm prune, or ${grow}`);
  }
  return ok("size", `${directory} has ${inMib(free)} of ${inMib(size)} free.`);
}

function checkPermission(): Finding[] {
  const name = `/bun-shm.doctor.${process.pid}.${Date.now().toString(36)}`;
  try {
    const object = posixObjects.create(posixName(name), { size: 4096 });
    object?.unlink();
    object?.close();
    return [ok("permissions", "This user can make, size, map and remove objects.")];
  } catch (error) {
    const { code, message } = error as SystemError;
    const denied = code === "EACCES" || code === "EPERM";
    const fix = denied ? "chmod 1777 /dev/shm" : `Look up ${code} for shm_open`;
    // The check of the size reports a full file system.
    if (code === "ENOSPC") return [];
    if (code === "EFBIG") {
      return [mend("permissions", `No object can be sized: ${message}`, "ulimit -f unlimited")];
    }
    return [mend("permissions", `This user cannot make an object: ${message}`, fix)];
  }
}

function* checkLimits(): Generator<Finding> {
  const fileSize = processLimit("Max file size") ?? Number.POSITIVE_INFINITY;
  const files = processLimit("Max open files") ?? Number.POSITIVE_INFINITY;
  const space = processLimit("Max address space") ?? Number.POSITIVE_INFINITY;
  if (fileSize < 2 ** 32) {
    yield note(
      "limits",
      `No object can be over ${fileSize} bytes (ulimit -f).`,
      "ulimit -f unlimited",
    );
  }
  if (space < 2 ** 33) {
    const text = `Only ${inMib(space)} of address space can be mapped (ulimit -v).`;
    yield note("limits", text, "ulimit -v unlimited");
  }
  if (files < 256) {
    yield note("limits", `Only ${files} descriptors can be open (ulimit -n).`, "ulimit -n 1024");
  }
  const shmmax = sysctl("kernel.shmmax");
  if (shmmax !== undefined && shmmax < 32 * MIB) {
    const text = `System V segments can have at most ${shmmax} bytes.`;
    yield note("limits", text, "sysctl -w kernel.shmmax=68719476736");
  }
  if (fileSize === Number.POSITIVE_INFINITY && files >= 256 && space >= 2 ** 33) {
    yield ok("limits", "No limit of this process is in the way.");
  }
}

function* checkLeftovers(): Generator<Finding> {
  const objects = usage({ sysv: true });
  const orphans = objects.filter(({ state }) => state === "orphaned");
  if (orphans.length === 0) {
    yield ok("leftovers", `No object is left over; ${objects.length} are there.`);
  } else {
    const bytes = orphans.reduce((sum, { used }) => sum + used, 0);
    const text =
      orphans.length === 1
        ? `1 object is held by no live process, and takes ${bytes} bytes.`
        : `${orphans.length} objects are held by no live process, and take ${bytes} bytes.`;
    yield note("leftovers", text, "bun-shm prune --sysv --dry-run, then without --dry-run");
  }
  const damaged: Finding[] = [];
  forEachStructure(objects, ({ name }, inspected) => {
    const damage = inspected.damage();
    if (damage === undefined) return;
    const fix = `bun-shm rm --force ${shellWord(name)}`;
    damaged.push(mend("structures", `${visible(name)} is damaged: ${damage}.`, fix));
  });
  yield* damaged;
  const unreadable = objects.filter(({ kind }) => kind === "unreadable").length;
  if (unreadable > 0) {
    const text = `${unreadable} objects of other users cannot be looked into.`;
    yield note("leftovers", text, "Run as their user, or as root");
  }
}
