import { existsSync } from "node:fs";
import { shellWord, visible } from "../arguments.ts";
import type { SystemError } from "../errors.ts";
import { PLATFORM } from "../libc/platform.ts";
import { whyNoJit } from "../libc/loader.ts";
import { missingSymbols } from "../libc/symbols.ts";
import { sysctl } from "../inspection/file-system.ts";
import { posixObjects } from "../memory/objects/posix-object.ts";
import { posixName } from "../memory/objects/segment-name.ts";
import { processLimit } from "../memory/processes.ts";
import { forEachStructure } from "./activities.ts";
import { checkAccess } from "./doctor-access.ts";
import { checkDirectory } from "./doctor-room.ts";
import { checkRemoveIpc } from "./doctor-session.ts";
import { type Finding, MIB, inMib, mend, note, ok } from "./finding.ts";
import { type ObjectUsage, usage } from "./usage.ts";

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
    return [...findings, ...checkPermission(), ...checkLimits()];
  }
  let objects: readonly ObjectUsage[] = [];
  try {
    objects = usage({ sysv: true });
  } catch (error) {
    // The check of the directory reports a missing one.
    if (existsSync(directory)) {
      findings.push(unreadable(directory, error as Error));
      return [...findings, ...checkPermission(), ...checkLimits()];
    }
  }
  findings.push(...checkDirectory(directory, objects));
  findings.push(...checkPermission(), ...checkLimits(), ...checkRemoveIpc());
  findings.push(...checkLeftovers(objects), ...checkHolders(objects), ...checkAccess(objects));
  return findings;
}

function unreadable(directory: string, { message }: Error): Finding {
  const text = `What lies in ${directory} cannot be listed: ${message}.`;
  return mend("directory", text, `chmod 1777 ${directory}, if it is a directory`);
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
    const { cause, fix } = whyNoJit();
    yield mend("libc", `libc does not load through bun:ffi. ${cause}.`, fix);
  } else if (missing.length > 0) {
    yield note("libc", `This libc has no ${missing.join(", ")}; what needs it says so.`);
  } else {
    yield ok("libc", "Every function that is needed is there.");
  }
}

function checkPermission(): Finding[] {
  // The check of the runtime reports a libc that does not load.
  if (missingSymbols().includes("shm_open")) return [];
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
    // The checks of the directory report a full file system, and a missing one.
    if (code === "ENOSPC" || code === "ENOENT") return [];
    if (code === "ENOTSUP") {
      const text = `The kernel lacks what every structure needs: ${message}.`;
      return [mend("locks", text, "Use a newer kernel, or a newer gVisor")];
    }
    if (code === "EDQUOT") {
      const what = `The quota of this user is used up: ${message}`;
      return [mend("quota", what, "Remove objects of this user, or raise the quota")];
    }
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

function* checkLeftovers(objects: readonly ObjectUsage[]): Generator<Finding> {
  const orphans = objects.filter(({ state }) => state === "orphaned");
  const unknown = objects.filter(
    ({ state, backing }) => state === "unknown" && backing === "posix",
  );
  if (orphans.length === 0) {
    const text = `No object is known to be left over; ${objects.length} are there.`;
    yield ok("leftovers", text);
  } else {
    const bytes = orphans.reduce((sum, { used }) => sum + used, 0);
    const text =
      orphans.length === 1
        ? `1 object is held by no live process, and takes ${bytes} bytes.`
        : `${orphans.length} objects are held by no live process, and take ${bytes} bytes.`;
    yield note(
      "leftovers",
      text,
      "bun-shm ls --sysv --orphaned shows them, bun-shm prune --sysv removes them",
    );
  }
  if (unknown.length > 0) {
    const text =
      `Of ${unknown.length} objects it is unknown whether a process of another user or container ` +
      "has them.";
    yield note("leftovers", text, "bun-shm prune --dry-run as their owner, which asks the kernel");
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

/** Locks that nobody gives back by himself. */
function* checkHolders(objects: readonly ObjectUsage[]): Generator<Finding> {
  for (const { name, holders } of objects) {
    for (const { role, pid, state } of holders) {
      if (state === "stopped") {
        const text = `Process ${pid}, which is stopped, holds ${name} (${role}).`;
        yield note("holders", text, `kill -CONT ${pid}`);
      } else if (state === "dead") {
        yield note("holders", `A process died while it held ${name} (${role}): the next repairs.`);
      }
    }
  }
}
