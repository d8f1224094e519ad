/** Which processes have an object mapped: the only trace that a C program leaves while it lives. */
import { readFileSync, readdirSync } from "node:fs";

/** What /proc tells of the processes that map an object. */
export interface Mappers {
  /** Process ids, this one's included. */
  readonly known: ReadonlySet<number>;
  /** Whether there were processes that this user may not look at. */
  readonly hidden: boolean;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // Ended meanwhile, or another user's.
    return undefined;
  }
}

/** A line of /proc/PID/maps: range, permissions, offset, and device with inode. */
const LINE = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ (\S+ \d+)/gm;

/** Device and inode of what is mapped at an address of this process, as /proc writes them. */
export function mappedObject(address: number): string | undefined {
  for (const [, from, to, object] of read("/proc/self/maps")?.matchAll(LINE) ?? []) {
    const inside = Number.parseInt(from!, 16) <= address && address < Number.parseInt(to!, 16);
    if (inside) return object;
  }
  return undefined;
}

/**
 * Every process that maps an object; takes some milliseconds. Processes of other pid namespaces are
 * not seen. @returns undefined where the system has no /proc.
 */
export function findMappers(object: string): Mappers | undefined {
  let entries: string[];
  try {
    entries = readdirSync("/proc");
  } catch {
    return undefined;
  }
  const known = new Set<number>();
  let hidden = false;
  for (const entry of entries) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const maps = read(`/proc/${entry}/maps`);
    if (maps === undefined) hidden ||= read(`/proc/${entry}/stat`) !== undefined;
    else if (maps.includes(` ${object} `)) known.add(pid);
  }
  return { known, hidden };
}

/** Whether a process is stopped, by a signal or a debugger: alive, and not to be given up. */
export function isStopped(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`);
  // The name before the state may itself contain parentheses.
  return stat !== undefined && /^ [tT]/.test(stat.slice(stat.lastIndexOf(")") + 1));
}
