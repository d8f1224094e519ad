/** Who has which objects, according to /proc: their mappings, descriptors and byte locks. */
import { type Stats, readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { isLook } from "./descriptor.ts";
import {
  MAPPED,
  commandOf,
  deviceKey,
  isBlind,
  objectKey,
  processIds,
  sysvKey,
} from "./processes.ts";

/** A process that has an object. */
export interface ObjectUser {
  readonly pid: number;
  /** Its command line, or its short name where that is empty. */
  readonly command: string;
  /** "mapped": its bytes are in the process's memory; "open": it has a descriptor only. */
  readonly how: "mapped" | "open";
}

/** Bytes of an object that a process has locked, by an open-file-description lock. */
export interface LockedBytes {
  readonly pid: number;
  readonly first: number;
  readonly last: number;
}

/** An object whose name was removed while processes have it. */
export interface RemovedObject {
  /** The path that it had, as a process that has it sees it; a character for each byte. */
  readonly path: string;
  /** Bytes of memory that it takes; of its mappings where it cannot be opened to ask. */
  readonly used: number;
}

/** Which processes have which objects, at one moment. */
export interface UserTable {
  /** The users of each object, by `objectKey` or `sysvKey`. */
  readonly users: ReadonlyMap<string, readonly ObjectUser[]>;
  /** The byte locks on each object, by `objectKey`. */
  readonly locks: ReadonlyMap<string, readonly LockedBytes[]>;
  /** The objects without a name, by `objectKey`. */
  readonly removed: ReadonlyMap<string, RemovedObject>;
  /** Whether there may be processes that are not even listed: see `isBlind`. */
  readonly blind: boolean;
  /** The users of the processes that this one may not look into. */
  readonly hidden: ReadonlySet<number>;
}

/** What /proc says of one process. */
interface Seen {
  readonly mapped: Set<string>;
  readonly open: Set<string>;
}

/**
 * Looks at every process once.
 *
 * @param device The file system of the objects, as `stat` has it.
 * @returns The table, which is stale the moment it is returned.
 */
export function findUsers(device: number): UserTable {
  const users = new Map<string, ObjectUser[]>();
  const survey = new Survey(deviceKey(device));
  const hidden = new Set<number>();
  const ids = processIds();
  for (const pid of ids ?? []) {
    let seen: Seen;
    try {
      seen = survey.look(pid);
    } catch (error) {
      if (!hasEnded(error)) hidden.add(ownerOf(pid) ?? 0);
      continue;
    }
    const all = new Set([...seen.mapped, ...seen.open]);
    if (all.size === 0) continue;
    const command = commandOf(pid);
    for (const key of all) {
      append(users, key, { pid, command, how: seen.mapped.has(key) ? "mapped" : "open" });
    }
  }
  return {
    users,
    locks: survey.locks,
    removed: survey.removed,
    blind: ids === undefined || isBlind(),
    hidden,
  };
}

/**
 * Whether another process is known to have an object open or mapped, as programs do that take no
 * locks; takes some milliseconds. False where this user or this system cannot know.
 */
export function isUsedElsewhere(device: bigint, inode: bigint): boolean {
  const key = objectKey(Number(device), Number(inode));
  const users = findUsers(Number(device)).users.get(key) ?? [];
  return users.some(({ pid }) => pid !== process.pid);
}

function ownerOf(pid: number): number | undefined {
  return statOf(`/proc/${pid}`)?.uid;
}

/**
 * Whether a process out of sight may have an object that this user and this mode let in. Those of
 * root that are listed do not count, since every machine has some that this user may not look into.
 */
export function mayBeHidden({ blind, hidden }: UserTable, uid: number, mode: number): boolean {
  const isLetIn = (user: number): boolean => user !== 0 && (user === uid || (mode & 0o066) !== 0);
  return blind || [...hidden].some(isLetIn);
}

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

/** Whether an error says that a process or descriptor has gone, and not that it is out of sight. */
function hasEnded(error: unknown): boolean {
  return ["ENOENT", "ESRCH"].includes((error as { code?: string }).code ?? "");
}

const REMOVED = " (deleted)";
/** Descriptors of files of other kinds. Sockets, pipes and the like have no path. */
const NO_OBJECT = /^(?!\/)|^\/(?:proc|sys)\/|^\/dev\/(?!shm\/)/;
const LOCK = /^lock:\s*\d+: OFDLCK\s+\S+\s+\S+\s+\S+\s+\S+\s+(\d+)\s+(\d+|EOF)$/gm;

class Survey {
  readonly locks = new Map<string, LockedBytes[]>();
  readonly removed = new Map<string, RemovedObject>();
  readonly #device: string;

  constructor(device: string) {
    this.#device = device;
  }

  look(pid: number): Seen {
    const maps = readFileSync(`/proc/${pid}/maps`, "latin1");
    if (maps !== "") return this.#lookAt(pid, `/proc/${pid}`, maps);
    // The first thread of a process may end before the others, and then has nothing to show.
    const seen: Seen = { mapped: new Set(), open: new Set() };
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      if (Number(thread) === pid) continue;
      const place = `/proc/${pid}/task/${thread}`;
      const { mapped, open } = this.#lookAt(pid, place, readFileSync(`${place}/maps`, "latin1"));
      for (const key of mapped) seen.mapped.add(key);
      for (const key of open) seen.open.add(key);
    }
    return seen;
  }

  #lookAt(pid: number, place: string, maps: string): Seen {
    return { mapped: this.#mapped(place, maps), open: this.#open(pid, place) };
  }

  #mapped(place: string, maps: string): Set<string> {
    const keys = new Set<string>();
    for (const [, from = "", to = "", key = "", path = ""] of maps.matchAll(MAPPED)) {
      if (path.startsWith("/SYSV")) keys.add(sysvKey(Number(key.split(" ")[1])));
      if (!key.startsWith(`${this.#device} `)) continue;
      keys.add(key);
      if (!path.endsWith(REMOVED)) continue;
      const file = statOf(`${place}/map_files/${from}-${to}`);
      const length = Number.parseInt(to, 16) - Number.parseInt(from, 16);
      const used = file === undefined ? (this.removed.get(key)?.used ?? 0) + length : usedBy(file);
      if (file === undefined || file.nlink === 0) this.#note(key, path, used);
    }
    return keys;
  }

  #open(pid: number, place: string): Set<string> {
    const keys = new Set<string>();
    for (const file of readdirSync(`${place}/fd`)) {
      try {
        const descriptor = `${place}/fd/${file}`;
        const path = readlinkSync(descriptor, { encoding: "buffer" }).toString("latin1");
        const stat = NO_OBJECT.test(path) ? undefined : statOf(descriptor);
        if (stat === undefined || deviceKey(stat.dev) !== this.#device) continue;
        const info = readFileSync(`${place}/fdinfo/${file}`, "latin1");
        // Its number may belong to another file by now, whose flags say nothing of this one.
        if (!isOf(info, stat.ino)) continue;
        const key = objectKey(stat.dev, stat.ino);
        this.#noteLocks(key, pid, info);
        if (isLook(flagsOf(info))) continue;
        keys.add(key);
        if (stat.nlink === 0) this.#note(key, path, usedBy(stat));
      } catch (error) {
        // It was closed after it was listed.
        if (!hasEnded(error)) throw error;
      }
    }
    return keys;
  }

  #note(key: string, path: string, used: number): void {
    const shown = path.endsWith(REMOVED) ? path.slice(0, -REMOVED.length) : path;
    this.removed.set(key, { path: shown, used });
  }

  #noteLocks(key: string, pid: number, info: string): void {
    for (const [, first, last] of info.matchAll(LOCK)) {
      const end = last === "EOF" ? Number.POSITIVE_INFINITY : Number(last);
      append(this.locks, key, { pid, first: Number(first), last: end });
    }
  }
}

/**
 * The file behind a link of /proc; undefined when it cannot be asked: its descriptor was closed, or
 * it lies in a file system of another user. A file of shared memory can always be asked.
 */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

function usedBy({ blocks }: Stats): number {
  return blocks * 512;
}

/** Whether a fdinfo's text is that of an inode's descriptor; kernels before 5.14 do not say. */
function isOf(info: string, inode: number): boolean {
  const found = /^ino:\s*(\d+)/m.exec(info)?.[1];
  return found === undefined || Number(found) === inode;
}

/** The flags with which a descriptor was opened, by the text of its fdinfo. */
function flagsOf(info: string): number {
  return Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? "0", 8);
}
