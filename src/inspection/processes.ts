/** Which processes have which objects: read out of /proc, by inode. Only Linux has that. */
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";

/** A process that has an object. */
export interface ObjectUser {
  readonly pid: number;
  /** Its command line, or its short name where that is empty. */
  readonly command: string;
  /** "mapped": its bytes are in the process's memory; "open": it has a descriptor only. */
  readonly how: "mapped" | "open";
}

/** Who has what, at one moment. */
export interface UserTable {
  /** By `objectKey`. */
  readonly users: ReadonlyMap<string, readonly ObjectUser[]>;
  /**
   * Processes of other ordinary users, whose objects this user may not see. Root's do not count:
   * every machine has some that ordinary users cannot look into.
   */
  readonly hidden: number;
}

/** What a user table finds an object by. */
export function objectKey(device: number | bigint | "sysv", inode: number | bigint): string {
  return `${device}:${inode}`;
}

/** The key of a System V segment: the kernel shows its id as the inode. */
export function sysvKey(id: number): string {
  return objectKey("sysv", id);
}

/** The number that stat gives for a device that /proc spells `major:minor` in hex. */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
}

const MAPPED = /^\S+ \S+ \S+ ([0-9a-f]+):([0-9a-f]+) (\d+) +\/(dev\/shm\/|SYSV|memfd:)/gm;

/** The keys of the shared objects in the text of a /proc/PID/maps. */
function keysOfMaps(maps: string): Set<string> {
  const keys = new Set<string>();
  for (const [, major, minor, inode, what] of maps.matchAll(MAPPED)) {
    const device = deviceNumber(Number.parseInt(major!, 16), Number.parseInt(minor!, 16));
    keys.add(what === "SYSV" ? sysvKey(Number(inode)) : objectKey(device, Number(inode)));
  }
  return keys;
}

function keysOfDescriptors(pid: number): Set<string> {
  const keys = new Set<string>();
  for (const file of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const path = `/proc/${pid}/fd/${file}`;
      if (!/^\/(dev\/shm\/|memfd:)/.test(readlinkSync(path))) continue;
      const { dev, ino } = statSync(path);
      keys.add(objectKey(dev, ino));
    } catch {
      // It was closed between the two looks.
    }
  }
  return keys;
}

/** The command line of a process; "" when it is gone. */
function commandOf(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return line || readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

function ownerOf(pid: number): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}

/** Looks at every process once. Stale the moment it returns. */
export function findUsers(): UserTable {
  const users = new Map<string, ObjectUser[]>();
  let hidden = 0;
  for (const file of process.platform === "linux" ? readdirSync("/proc") : []) {
    const pid = Number(file);
    if (!Number.isInteger(pid)) continue;
    let mapped: Set<string>;
    let open: Set<string>;
    try {
      mapped = keysOfMaps(readFileSync(`/proc/${pid}/maps`, "latin1"));
      open = keysOfDescriptors(pid);
    } catch (error) {
      // Gone meanwhile (ENOENT, ESRCH), or another user's.
      const denied = ["EACCES", "EPERM"].includes((error as { code?: string }).code ?? "");
      if (denied && (ownerOf(pid) ?? 0) !== 0) hidden++;
      continue;
    }
    const all = new Set([...mapped, ...open]);
    if (all.size === 0) continue;
    const command = commandOf(pid);
    for (const key of all) {
      const list = users.get(key) ?? [];
      list.push({ pid, command, how: mapped.has(key) ? "mapped" : "open" });
      users.set(key, list);
    }
  }
  return { users, hidden };
}

/** Whether a process of this id lives here now. Ids are reused; other containers have others. */
export function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}
