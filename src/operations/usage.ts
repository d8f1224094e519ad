import { statSync } from "node:fs";
import { checkBoolean, checkOptions } from "../arguments.ts";
import { type Holder, holdersOf } from "../inspection/holders.ts";
import { structuresIn } from "../inspection/identify.ts";
import { objectOfFile } from "../inspection/inspect.ts";
import type { ObjectKind } from "../inspection/kinds/kind.ts";
import { type ObjectReader, openReader } from "../inspection/object-reader.ts";
import { ObjectWords } from "../inspection/object-words.ts";
import { readSysvTable } from "../inspection/sysv-table.ts";
import { userName } from "../inspection/user-names.ts";
import { USERS_BYTE } from "../layout/lock-bytes.ts";
import { SEGMENT_MAGIC } from "../layout/segment-header.ts";
import { pageSize } from "../libc/fcntl.ts";
import { spelled } from "../libc/name-spelling.ts";
import { SYSV_LOCKS_PREFIX } from "../memory/objects/sysv-object.ts";
import { objectKey, sysvKey } from "../memory/processes.ts";
import { type ObjectUser, type UserTable, findUsers, mayBeHidden } from "../memory/user-table.ts";
import { type ObjectFile, filesIn } from "./object-files.ts";
import { objectDirectory } from "./room.ts";

/** One object of shared memory, and who has it. */
export interface ObjectUsage {
  /**
   * The name, as `Segment.open` or `Semaphore.open` takes it: a byte that is not UTF-8 is `\\xHH`.
   */
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
  /** Who holds its locks and roles, as far as this user may see it. */
  readonly holders: readonly Holder[];
  /**
   * "in use": the kernel says that a live process has it. "orphaned": no live process has it; of
   * root's processes that this user may not look into, only the lock is known that users of this
   * package hold. "unknown": nobody can be seen that has it, but other users or containers may have
   * processes that do, and it has no header of this package, whose users all hold that lock.
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
  return survey(directory, sysv, kinds).objects;
}

/** What is in shared memory, and who was seen. */
export interface Survey {
  readonly objects: ObjectUsage[];
  readonly table: UserTable;
}

/** @returns What `usage` returns, and what /proc said. */
export function survey(directory: string, sysv: boolean, kinds: boolean): Survey {
  const table = findUsers(statSync(directory).dev);
  const found: ObjectUsage[] = [];
  for (const file of filesIn(directory)) {
    const object = describeFile(file, table, kinds);
    if (object !== undefined) found.push(object);
  }
  if (sysv) found.push(...sysvUsage(table, kinds));
  return { objects: found, table };
}

function describeFile(
  { file, stat }: ObjectFile,
  table: UserTable,
  kinds: boolean,
): ObjectUsage | undefined {
  if (!stat.isFile()) return undefined;
  const { type, name } = objectOfFile(file);
  const users = table.users.get(objectKey(stat.dev, stat.ino)) ?? [];
  const { locked, headed, ...seen } = look(file, type, table, kinds);
  return {
    name,
    type,
    backing: "posix",
    ...seen,
    size: stat.size,
    used: stat.blocks * 512,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    owner: userName(stat.uid),
    changed: stat.ctime,
    users,
    state:
      users.length > 0 || locked === true
        ? "in use"
        : (locked === false && headed) || !mayBeHidden(table, stat.uid, stat.mode)
          ? "orphaned"
          : "unknown",
  };
}

/** What the object itself tells. */
interface Look extends Pick<ObjectUsage, "kind" | "holders" | "value"> {
  /** Whether a user of this package holds the users' lock; undefined when it cannot be asked. */
  readonly locked: boolean | undefined;
  /** Whether it has the header of this package, all of whose users hold that lock. */
  readonly headed: boolean;
}

function look(file: string, type: ObjectUsage["type"], table: UserTable, kinds: boolean): Look {
  try {
    using reader = openReader(spelled(`/${file}`));
    const words = new ObjectWords(reader);
    const locked = reader.isLocked(USERS_BYTE);
    if (type === "semaphore") {
      const unlocked = { locked, headed: false, holders: [], kind: "semaphore" as const };
      // glibc and musl keep the count in the first word; musl marks waiters in its highest bit.
      return words.size < 4 ? unlocked : { ...unlocked, value: words.u32(0) & 0x7fffffff };
    }
    const headed = words.u32(0) === SEGMENT_MAGIC;
    if (file.startsWith(SYSV_LOCKS_PREFIX.slice(1))) {
      return { locked, headed, kind: "sysv-locks", holders: [] };
    }
    return { locked, headed, ...(kinds ? structureOf(reader, words, table) : RAW) };
  } catch (error) {
    const gone = (error as { code?: string }).code === "ENOENT";
    const kind = type === "semaphore" ? type : gone ? "gone" : "unreadable";
    return { locked: undefined, headed: false, kind, holders: [] };
  }
}

/** Bytes of raw memory that are searched for locks; `InspectedObject.holders` searches more. */
const SEARCHED_LENGTH = 2 ** 16;
const RAW = { kind: "raw", holders: [] } as const;

function structureOf(
  reader: ObjectReader,
  words: ObjectWords,
  table: UserTable,
  searched: number = SEARCHED_LENGTH,
): Pick<ObjectUsage, "kind" | "holders"> {
  const structures = structuresIn(words, searched);
  const whole = structures.find((structure) => structure.words === words);
  return {
    kind: whole?.inspector.kind ?? "raw",
    holders: holdersOf({ reader, table }, structures),
  };
}

function lookAtSysv(
  name: string,
  table: UserTable,
  kinds: boolean,
): Pick<ObjectUsage, "kind" | "holders"> {
  if (!kinds) return RAW;
  try {
    using reader = openReader(name);
    // Each page is read by attaching the segment: one is enough for a look.
    return structureOf(reader, new ObjectWords(reader), table, pageSize());
  } catch (error) {
    const gone = (error as { code?: string }).code === "ENOENT";
    return { kind: gone ? "gone" : "unreadable", holders: [] };
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
      ...lookAtSysv(id, table, kinds),
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
      holders: [],
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
