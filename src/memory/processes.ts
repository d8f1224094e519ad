/**
 * What /proc says of processes: which of them map or open an object, and which live. For a
 * queue it is the only trace that a C program leaves; people ask it who uses what. Only Linux has
 * it, and a process sees its own pid namespace only.
 */
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";

/** A file under /proc; undefined when its process has ended, or is another user's. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** The ids of all processes that this one sees; undefined where there is no /proc. */
function processIds(): number[] | undefined {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => Number.isInteger(pid));
  } catch {
    return undefined;
  }
}

/** Device and inode of an object, as /proc writes them: `00:1a 1234`. */
export function objectKey(device: number, inode: number): string {
  // The kernel packs a device's numbers so, and stat hands them out like that.
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & ~0xff);
  return `${hexByte(major)}:${hexByte(minor)} ${inode}`;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** The key of a System V segment: its id is its inode, on a device that no stat tells. */
export function sysvKey(id: number): string {
  return `sysv ${id}`;
}

/** A line of /proc/PID/maps: range, permissions, offset, device with inode, path. */
const MAPPED = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ (\S+ \d+) *(.*)$/gm;
/** Paths of what is shared memory, and no library or file. */
const SHARED = /^\/(dev\/shm\/|SYSV|memfd:)/;

/** The key of what is mapped at an address of this process; undefined where there is no /proc. */
export function mappedObject(address: number): string | undefined {
  for (const [, from, to, key] of read("/proc/self/maps")?.matchAll(MAPPED) ?? []) {
    const inside = Number.parseInt(from!, 16) <= address && address < Number.parseInt(to!, 16);
    if (inside) return key;
  }
  return undefined;
}

/** The keys of the shared objects in the text of a /proc/PID/maps. */
function keysOfMaps(maps: string): Set<string> {
  const keys = new Set<string>();
  for (const [, , , key, path] of maps.matchAll(MAPPED)) {
    if (!SHARED.test(path!)) continue;
    keys.add(path!.startsWith("/SYSV") ? sysvKey(Number(key!.split(" ")[1])) : key!);
  }
  return keys;
}

function keysOfDescriptors(pid: number): Set<string> {
  const keys = new Set<string>();
  for (const file of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const path = `/proc/${pid}/fd/${file}`;
      if (!SHARED.test(readlinkSync(path))) continue;
      const { dev, ino } = statSync(path);
      keys.add(objectKey(dev, ino));
    } catch {
      // It was closed between the two looks.
    }
  }
  return keys;
}

/** The processes that map an object. */
export interface Mappers {
  /** Process ids, this one's included. */
  readonly known: ReadonlySet<number>;
  /** Whether there were processes that this user may not look at. */
  readonly hidden: boolean;
}

/**
 * Every process that maps the object of a key, of `mappedObject` or `objectKey`; takes some
 * milliseconds. @returns undefined where there is no /proc.
 */
export function findMappers(key: string): Mappers | undefined {
  const ids = processIds();
  if (ids === undefined) return undefined;
  const known = new Set<number>();
  let hidden = false;
  for (const pid of ids) {
    const maps = read(`/proc/${pid}/maps`);
    if (maps === undefined) hidden ||= read(`/proc/${pid}/stat`) !== undefined;
    // Without parsing the lines: a queue asks while it waits.
    else if (maps.includes(` ${key} `)) known.add(pid);
  }
  return { known, hidden };
}

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
  /** By `objectKey` or `sysvKey`. */
  readonly users: ReadonlyMap<string, readonly ObjectUser[]>;
  /**
   * Processes of other ordinary users, whose objects this user may not see. Root's do not count:
   * every machine has some that ordinary users cannot look into.
   */
  readonly hidden: number;
}

/** Looks at every process once. Stale the moment it returns. */
export function findUsers(): UserTable {
  const users = new Map<string, ObjectUser[]>();
  let hidden = 0;
  for (const pid of processIds() ?? []) {
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

function ownerOf(pid: number): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
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

/** Whether a process of this id lives, here and now. Ids are reused, and mean nothing elsewhere. */
export function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/** Whether a process is stopped, by a signal or a debugger: alive, and not to be given up. */
export function isStopped(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  // The name before the state may itself contain parentheses.
  return stat !== undefined && /^ [tT]/.test(stat.slice(stat.lastIndexOf(")") + 1));
}
