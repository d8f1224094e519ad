/**
 * What /proc says about processes: which of them map or open an object, and which are alive. For a
 * queue it is the only trace that a C program leaves; for people it shows who uses what. Only Linux
 * has it, and a process sees only its own PID namespace.
 */
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { isLook } from "./descriptor.ts";

/** The text of a file under /proc; undefined if its process has ended, or is another user's. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** The ids of all processes that this one can see; undefined where there is no /proc. */
function processIds(): number[] | undefined {
  try {
    return readdirSync("/proc")
      .map(Number)
      .filter((pid) => Number.isInteger(pid));
  } catch {
    return undefined;
  }
}

/** The key of an object: its device and inode as /proc writes them, `00:1a 1234`. */
export function objectKey(device: number, inode: number): string {
  // The packing is the kernel's, and stat returns it unchanged.
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & ~0xff);
  return `${hexByte(major)}:${hexByte(minor)} ${inode}`;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** The key of a System V segment: its id is its inode, on a device that no stat shows. */
export function sysvKey(id: number): string {
  return `sysv ${id}`;
}

/** A line of /proc/PID/maps: range, permissions, offset, device with inode, path. */
const MAPPED = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ (\S+ \d+) *(.*)$/gm;
/** The paths of shared memory, as opposed to libraries and files. */
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

/** The flags with which a process opened a descriptor. */
function flagsOf(pid: number, descriptor: string): number {
  const text = readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, "latin1");
  return Number.parseInt(/^flags:\s*([0-7]+)/m.exec(text)?.[1] ?? "0", 8);
}

function keysOfDescriptors(pid: number): Set<string> {
  const keys = new Set<string>();
  for (const file of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const path = `/proc/${pid}/fd/${file}`;
      if (!SHARED.test(readlinkSync(path)) || isLook(flagsOf(pid, file))) continue;
      const { dev, ino } = statSync(path);
      keys.add(objectKey(dev, ino));
    } catch {
      // It was closed after it was listed.
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
 * Finds every process that maps the object of a key; takes some milliseconds.
 *
 * @param key From `mappedObject` or `objectKey`.
 * @returns The processes; undefined where there is no /proc.
 */
export function findMappers(key: string): Mappers | undefined {
  const ids = processIds();
  if (ids === undefined) return undefined;
  const known = new Set<number>();
  let hidden = false;
  for (const pid of ids) {
    const maps = read(`/proc/${pid}/maps`);
    if (maps === undefined) hidden ||= read(`/proc/${pid}/stat`) !== undefined;
    // It does not parse the lines, because a queue calls this while it waits.
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

/** Which processes have which objects, at one moment. */
export interface UserTable {
  /** The users of each object, by `objectKey` or `sysvKey`. */
  readonly users: ReadonlyMap<string, readonly ObjectUser[]>;
  /**
   * How many processes of other ordinary users this user may not inspect. Root's do not count,
   * because every machine has some.
   */
  readonly hidden: number;
}

/** Looks at every process once. @returns The table, which is stale the moment it is returned. */
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
      // It has ended meanwhile (ENOENT, ESRCH), or is another user's.
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

/** Whether a process of this id lives. Ids are reused, and mean nothing in other containers. */
export function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/** Whether a process is stopped, by a signal or a debugger, and so is alive but does not run. */
export function isStopped(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  // The name before the state may itself contain parentheses.
  return stat !== undefined && /^ [tT]/.test(stat.slice(stat.lastIndexOf(")") + 1));
}
