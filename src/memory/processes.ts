/**
 * What /proc says about processes: which of them map or open an object, and which are alive. For a
 * queue it is the only trace that a C program leaves; for people it shows who uses what. Only Linux
 * has it, and a process sees only its own PID namespace.
 */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

/** The link of the namespace that all others are below of, in which nobody is out of sight. */
const INITIAL_PID_NAMESPACE = "pid:[4026531836]";
/** The bit of the capability that lifts the mount option `hidepid`, CAP_SYS_PTRACE. */
const SEES_HIDDEN = 1n << 19n;

/**
 * Whether /proc may leave out processes of this machine: those of other PID namespaces, such as
 * containers, and with `hidepid` those of other users. No place in /proc says what is left out.
 */
export function isBlind(): boolean {
  // A process is only in the /proc of its own namespace and of those above.
  const seesAll = [process.pid, "self", 1].some(
    (id) => link(`/proc/${id}/ns/pid`) === INITIAL_PID_NAMESPACE,
  );
  return !seesAll || (hidesProcesses() && !mayTrace());
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function hidesProcesses(): boolean {
  const mounts = read("/proc/self/mounts")?.split("\n") ?? [];
  const options = mounts.findLast((line) => line.split(" ")[1] === "/proc")?.split(" ")[3];
  return /\bhidepid=(?!0|off)/.test(options ?? "");
}

function mayTrace(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read("/proc/self/status") ?? "")?.[1];
  return (BigInt(`0x${effective ?? "0"}`) & SEES_HIDDEN) !== 0n;
}

/** The text of a file under /proc; undefined if its process has ended, or is another user's. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/**
 * @param name As /proc/self/limits has it: "Max open files".
 * @returns A soft limit of this process; Infinity when it is unlimited, undefined when unknown.
 */
export function processLimit(name: string): number | undefined {
  const line = read("/proc/self/limits")
    ?.split("\n")
    .find((row) => row.startsWith(name));
  const soft = line?.slice(26).trim().split(/\s+/)[0];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

/** The ids of all processes that this one can see; undefined where there is no /proc. */
export function processIds(): number[] | undefined {
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
  return `${deviceKey(device)} ${inode}`;
}

/** A device as /proc writes it: `00:1a`. */
export function deviceKey(device: number): string {
  // The packing is the kernel's, and stat returns it unchanged.
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & ~0xff);
  return `${hexByte(major)}:${hexByte(minor)}`;
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** The key of a System V segment: its id is its inode, on a device that no stat shows. */
export function sysvKey(id: number): string {
  return `sysv ${id}`;
}

/** A line of /proc/PID/maps: range, permissions, offset, device with inode, path. */
export const MAPPED: RegExp = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ (\S+ \d+) *(.*)$/gm;
/** The key of what is mapped at an address of this process; undefined where there is no /proc. */
export function mappedObject(address: number): string | undefined {
  for (const [, from, to, key] of read("/proc/self/maps")?.matchAll(MAPPED) ?? []) {
    const inside = Number.parseInt(from!, 16) <= address && address < Number.parseInt(to!, 16);
    if (inside) return key;
  }
  return undefined;
}

/** The processes that map an object. */
export interface Mappers {
  /** Process ids, this one's included. */
  readonly known: ReadonlySet<number>;
  /** Whether there may be processes that this one cannot look at. */
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
  let hidden = isBlind();
  for (const pid of ids) {
    const maps = read(`/proc/${pid}/maps`);
    if (maps === undefined) hidden ||= read(`/proc/${pid}/stat`) !== undefined;
    // It does not parse the lines, because a queue calls this while it waits.
    else if (maps.includes(` ${key} `)) known.add(pid);
  }
  return { known, hidden };
}

/** The command line of a process; "" when it is gone. */
export function commandOf(pid: number): string {
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
