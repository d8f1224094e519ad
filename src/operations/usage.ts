import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { checkBoolean, checkOptions } from "../arguments.ts";
import { objectOfFile, openObject } from "../inspection/inspect.ts";
import type { ObjectKind } from "../inspection/kinds/kind.ts";
import { openReader } from "../inspection/object-reader.ts";
import {
  type ObjectUser,
  type UserTable,
  findUsers,
  objectKey,
  sysvKey,
} from "../memory/processes.ts";
import { readSysvTable } from "../inspection/sysv-table.ts";
import { userName } from "../inspection/user-names.ts";
import { SYSV_LOCKS_PREFIX } from "../memory/objects/sysv-object.ts";
import { posixObjects } from "../memory/objects/posix-object.ts";
import { posixName } from "../memory/objects/segment-name.ts";
import { objectDirectory } from "./room.ts";

/** One object of shared memory, and who has it. */
export interface ObjectUsage {
  /** The name, as `Segment.open` or `Semaphore.open` takes it. */
  readonly name: string;
  readonly type: "segment" | "semaphore";
  readonly backing: "posix" | "sysv";
  /** What is in it: "raw", "queue", "ring" …; "unreadable" when this user may not look. */
  readonly kind: ObjectKind;
  /** Bytes of the object; of a System V semaphore, the number of semaphores in its set. */
  readonly size: number;
  /** Bytes of memory that it takes now; less than `size` while parts were never touched. */
  readonly used: number;
  /** The permission bits. */
  readonly mode: number;
  /** The owner's number. */
  readonly uid: number;
  /** The owner's login name, or the number as text. */
  readonly owner: string;
  /** When the object was made, or its size or mode last changed. */
  readonly changed: Date;
  /** The processes that have it mapped or open, as far as this user may see them. */
  readonly users: readonly ObjectUser[];
  /**
   * "in use": the kernel says that a live process has it. "orphaned": no live process has it.
   * "unknown": none that this user can see has it, but processes of other users may, since the
   * object's mode lets them in.
   */
  readonly state: "in use" | "orphaned" | "unknown";
  /** The value of a POSIX semaphore. */
  readonly value?: number;
}

/** Which objects to look at, and how closely. */
export interface UsageOptions {
  /** Include System V segments and semaphores. Default false. */
  readonly sysv?: boolean | undefined;
  /** Look into each object for its kind; otherwise segments are "raw". Default true. */
  readonly kinds?: boolean | undefined;
}

/**
 * Lists everything in shared memory that this user can see: segments and named semaphores, whoever
 * made them. It reads /proc once, and does not block; the list is stale the moment it is returned.
 * Objects that vanish meanwhile are left out.
 *
 * @returns An entry for each object, in order of file name; those of System V come last.
 * @throws TypeError for bad options.
 * @throws UnsupportedError where the system does not show them (macOS, FreeBSD).
 *
 * @example
 * ```ts
 * for (const { name, used, state } of usage()) console.log(name, used, state);
 * ```
 */
export function usage(options: UsageOptions = {}): ObjectUsage[] {
  const action = "Cannot tell who uses shared memory";
  checkOptions(action, options, ["sysv", "kinds"]);
  const { sysv = false, kinds = true } = options;
  checkBoolean(action, "sysv", sysv);
  checkBoolean(action, "kinds", kinds);
  const directory = objectDirectory(action);
  const table = findUsers();
  const found: ObjectUsage[] = [];
  for (const file of readdirSync(directory).sort()) {
    const object = describeFile(directory, file, table, kinds);
    if (object !== undefined) found.push(object);
  }
  if (sysv) found.push(...sysvUsage(table, kinds));
  return found;
}

function describeFile(
  directory: string,
  file: string,
  table: UserTable,
  kinds: boolean,
): ObjectUsage | undefined {
  const path = join(directory, file);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile()) return undefined;
  const { type, name } = objectOfFile(file);
  const isSemaphore = type === "semaphore";
  const users = table.users.get(objectKey(stat.dev, stat.ino)) ?? [];
  const mode = stat.mode & 0o7777;
  const locked = users.length > 0 || isLocked(`/${file}`);
  const value = isSemaphore ? readSemaphoreValue(`/${file}`) : undefined;
  return {
    name,
    type,
    backing: "posix",
    kind: isSemaphore ? "semaphore" : kinds ? kindOf(name) : "raw",
    size: stat.size,
    used: stat.blocks * 512,
    mode,
    uid: stat.uid,
    owner: userName(stat.uid),
    changed: stat.ctime,
    users,
    state: locked ? "in use" : table.hidden > 0 && (mode & 0o066) !== 0 ? "unknown" : "orphaned",
    ...(value === undefined ? {} : { value }),
  };
}

function isLocked(name: string): boolean {
  try {
    return posixObjects.hasUsers(posixName(name));
  } catch {
    // It is another user's object: only /proc can tell then.
    return false;
  }
}

function kindOf(name: string): ObjectKind {
  if (name.startsWith(SYSV_LOCKS_PREFIX)) return "sysv-locks";
  try {
    using object = openObject(name);
    return object.kind;
  } catch (error) {
    return (error as { code?: string }).code === "ENOENT" ? "gone" : "unreadable";
  }
}

// glibc and musl both keep the count in the first word; musl marks waiters in its highest bit.
function readSemaphoreValue(name: string): number | undefined {
  try {
    using reader = openReader(name);
    const bytes = reader.read(0, 4);
    return bytes.length < 4 ? undefined : Buffer.from(bytes).readUInt32LE(0) & 0x7fffffff;
  } catch {
    return undefined;
  }
}

function sysvName(key: number, id: number): string {
  return key === 0 ? `sysv:#${id}` : `sysv:0x${(key >>> 0).toString(16)}`;
}

function sysvUsage(table: UserTable, kinds: boolean): ObjectUsage[] {
  const segments = readSysvTable("shm").map((row): ObjectUsage => {
    const { key = 0, shmid = 0, perms = 0, size = 0, nattch = 0, uid = 0, ctime = 0, rss } = row;
    const id = `sysv:#${shmid}`;
    return {
      // A removed one that is still attached has lost its key.
      name: sysvName(key, shmid),
      type: "segment",
      backing: "sysv",
      kind: kinds ? kindOf(id) : "raw",
      size,
      used: rss ?? size,
      mode: perms & 0o777,
      uid,
      owner: userName(uid),
      changed: new Date(ctime * 1000),
      users: table.users.get(sysvKey(shmid)) ?? [],
      state: nattch > 0 ? "in use" : "orphaned",
    };
  });
  const semaphores = readSysvTable("sem").map((row): ObjectUsage => {
    const { key = 0, semid = 0, perms = 0, nsems = 0, uid = 0, otime = 0, ctime = 0 } = row;
    return {
      name: sysvName(key, semid),
      type: "semaphore",
      backing: "sysv",
      kind: "semaphore",
      size: nsems,
      used: 0,
      mode: perms & 0o777,
      uid,
      owner: userName(uid),
      changed: new Date(Math.max(otime, ctime) * 1000),
      users: [],
      // Nothing in the kernel says who uses a System V semaphore.
      state: "unknown",
    };
  });
  return [...segments, ...semaphores];
}
