/** System V segments, which have a key or an id, a fixed size, and a count of attachments. */
import { fchownSync } from "node:fs";
import { shown } from "../../arguments.ts";
import { StateError, UnsupportedError } from "../../errors.ts";
import { E, fail, isRemoved } from "../../libc/errno.ts";
import { C, PLATFORM } from "../../libc/platform.ts";
import { IPC_PRIVATE, type ShmStat, shmRemove, shmStat, shmget } from "../../libc/shm.ts";
import type { Descriptor } from "../descriptor.ts";
import { HUGE_PAGES_HINT } from "./room.ts";
import { type MappedPart, Mapping } from "../mapping.ts";
import { refuseStranger } from "./owner.ts";
import { posixObjects } from "./posix-object.ts";
import { type PathName, type SysvName, posixName } from "./segment-name.ts";
import type {
  Access,
  FoundObject,
  ObjectOptions,
  ObjectSpace,
  ObjectStat,
  OpenOptions,
  SharedObject,
} from "./shared-object.ts";

/**
 * The names of the POSIX objects that carry the byte locks of System V segments, which have no
 * descriptors, start like this. Their bytes mean nothing. Such an object is made when the first
 * lock is taken, or with the segment if others may write to that, and removed with its segment; one
 * without a segment is a leftover.
 *
 * Whoever owns it can replace it, and then two processes hold the same lock. So it belongs to the
 * owner or the creator of the segment, who can do the same to the segment, or to root.
 */
export const SYSV_LOCKS_PREFIX = "/bun-shm.sysv-locks.";

function checkPlatform(): void {
  if (PLATFORM?.shmid !== undefined) return;
  throw new UnsupportedError(
    `Cannot use System V shared memory: ${process.platform} lays out shmid_ds in a way that this ` +
      "package does not know; it knows Linux's",
  );
}

/** @returns The id that a name stands for, or a negated errno. */
export function idOf({ target }: SysvName): number {
  checkPlatform();
  if (target === "private") return -E.ENOENT;
  return "id" in target ? target.id : shmget(target.key, 0, 0);
}

/** The name of the POSIX object that carries the locks of a segment. */
function locksName(id: number): PathName {
  return posixName(`${SYSV_LOCKS_PREFIX}${id}`);
}

function sizeHint(result: number, hugePages: boolean): string | undefined {
  if (hugePages && result === -E.ENOMEM) return HUGE_PAGES_HINT;
  if (hugePages && result === -E.EPERM) {
    return "Huge pages need CAP_IPC_LOCK here, or sysctl vm.hugetlb_shm_group";
  }
  if (result === -E.EINVAL) return "The size is beyond sysctl kernel.shmmax";
  if (result === -E.ENOSPC) return "sysctl kernel.shmmni or kernel.shmall is used up: see ipcs -m";
  return undefined;
}

class SysvObject implements SharedObject {
  readonly backing = "sysv";
  readonly name: string;
  readonly descriptor = undefined;
  readonly mapCall = "shmat";
  readonly #id: number;
  #locks: SharedObject | undefined;
  #buffer: WeakRef<ArrayBuffer> | undefined;

  constructor(name: string, id: number) {
    this.name = name;
    this.#id = id;
  }

  keep(): undefined {
    // Whoever has it attached uses it.
  }

  handOut(): undefined {
    return undefined;
  }

  stat(): ObjectStat {
    const { size, mode, uid } = this.#stat();
    const inode = BigInt(this.#id);
    return { size, mode: mode & 0o777, uid, inode, device: -1n, isFile: true, blockSize: 0 };
  }

  #stat(): ShmStat {
    const stat = shmStat(this.#id);
    if (typeof stat !== "number") return stat;
    return fail(`Cannot look at segment ${shown(this.name)}`, stat, "shmctl", this.name);
  }

  /** Its size never changes, so nobody can shrink it. */
  isSealed(): boolean {
    return true;
  }

  map({ offset, length, access }: MappedPart): Mapping | number {
    if (access === "read" || offset !== 0) {
      const what = access === "read" ? 'with access "read"' : "from an offset";
      const why =
        access === "read" ? "as a private copy, and a write would end the process" : "in parts";
      throw new UnsupportedError(
        `Cannot map segment ${shown(this.name)} ${what}: System V memory cannot be mapped ${why}`,
      );
    }
    return Mapping.attach(`segment ${shown(this.name)}`, this.#id, length);
  }

  checkResizable(action: string): void {
    throw new UnsupportedError(`${action}: a System V segment can never be resized`);
  }

  setSize(): number {
    return -E.EINVAL;
  }

  lockTarget(create: boolean): Descriptor | undefined {
    if (this.#locks !== undefined) return this.#locks.descriptor;
    this.#locks = this.#openLocks(create);
    const buffer = this.#buffer?.deref();
    if (buffer !== undefined) this.#locks?.serve(buffer);
    return this.#locks?.descriptor;
  }

  #openLocks(create: boolean): SharedObject | undefined {
    const name = locksName(this.#id);
    const { mode, uid, gid, creator } = this.#stat();
    const trusted = [0, uid, creator];
    // Whose it is, is seen below.
    const options = { size: 1, mode: mode & 0o666, owner: "any" } as const;
    const mayCreate = create && trusted.includes(process.geteuid?.() ?? 0);
    for (;;) {
      const made = mayCreate ? posixObjects.create(name, options) : undefined;
      if (made !== undefined) return give(made, uid, gid);
      const found = mayCreate
        ? posixObjects.adopt(name, options)?.object
        : posixObjects.open(name, "readwrite", options);
      if (found === undefined && mayCreate) continue;
      const owner = found?.stat().uid;
      if (owner === undefined ? !create : trusted.includes(owner)) return found;
      found?.close();
      this.#refuseLocks(owner);
    }
  }

  #refuseLocks(owner: number | undefined): never {
    const action = `Cannot lock anything of segment ${shown(this.name)}`;
    const object = shown(`${SYSV_LOCKS_PREFIX}${this.#id}`);
    const why =
      owner === undefined
        ? `${object}, which carries its locks, is missing: its owner, creator or root must take ` +
          "the first lock, which makes that"
        : `${object}, which carries its locks, belongs to user ${owner}, and neither to its ` +
          "owner or creator nor to root. That user or root must remove it";
    throw new StateError("EPERM", `${action}: ${why}`);
  }

  unlink(): boolean {
    return removeId(this.name, this.#id);
  }

  isGone(): boolean {
    const stat = shmStat(this.#id);
    if (typeof stat === "number" && !isRemoved(stat)) {
      fail(`Cannot look at segment ${shown(this.name)}`, stat, "shmctl", this.name);
    }
    return typeof stat === "number" || (stat.mode & C.SHM_DEST) !== 0;
  }

  roomHint(): undefined {
    return undefined;
  }

  serve(buffer: ArrayBuffer): void {
    this.#buffer = new WeakRef(buffer);
    this.#locks?.serve(buffer);
  }

  close(): void {
    this.#locks?.close();
  }
}

/** Lets the owner of a segment use what root has made for it. @returns That. */
function give(made: SharedObject, uid: number, gid: number): SharedObject {
  if (process.geteuid?.() !== 0 || uid === 0) return made;
  try {
    fchownSync(made.descriptor!.number, uid, gid);
  } catch {
    // In a user namespace that user may have no number; the mode decides who can use it.
  }
  return made;
}

function removeId(text: string, id: number): boolean {
  const action = `Cannot unlink segment ${shown(text)}`;
  const stat = shmStat(id);
  // A segment that was removed and is still mapped has an id, and SHM_DEST set.
  if (typeof stat !== "number" && (stat.mode & C.SHM_DEST) !== 0) return false;
  const result = shmRemove(id);
  if (isRemoved(result)) return false;
  if (result < 0) fail(action, result, "shmctl", text);
  posixObjects.unlink(locksName(id));
  return true;
}

/** Objects with names `sysv:KEY` and `sysv:#ID`; `sysv:private` makes one without a key. */
export const sysvObjects: ObjectSpace<SysvName> = {
  openCall: "shmget",

  create({ text, target }: SysvName, options: ObjectOptions): SharedObject | undefined {
    checkPlatform();
    const { size, mode = 0o600, hugePages = false } = options;
    const action = `Cannot create segment ${shown(text)}`;
    if (target !== "private" && "id" in target) {
      throw new TypeError(`${action}: the kernel chooses the ids`);
    }
    const key = target === "private" ? IPC_PRIVATE : target.key;
    const flags = C.IPC_CREAT | C.IPC_EXCL | (hugePages ? C.SHM_HUGETLB : 0) | mode;
    const id = shmget(key, size, flags);
    if (id === -E.EEXIST) return undefined;
    if (id < 0) fail(action, id, "shmget", text, sizeHint(id, hugePages));
    const made = new SysvObject(target === "private" ? `sysv:#${id}` : text, id);
    // Who may write to it and does not own it cannot make what carries its locks.
    if ((mode & 0o022) === 0) return made;
    try {
      made.lockTarget(true);
      return made;
    } catch (error) {
      shmRemove(id);
      throw error;
    }
  },

  open(name: SysvName, _access: Access, { owner }: OpenOptions = {}): SharedObject | undefined {
    const id = idOf(name);
    if (id === -E.ENOENT) return undefined;
    const action = `Cannot open segment ${shown(name.text)}`;
    if (id < 0) fail(action, id, "shmget", name.text);
    const stat = shmStat(id);
    if (typeof stat === "number") {
      if (isRemoved(stat)) return undefined;
      fail(action, stat, "shmctl", name.text, "It belongs to another user");
    }
    // Its creator keeps every right when it is given away.
    for (const uid of [stat.uid, stat.creator]) refuseStranger(action, uid, owner);
    return new SysvObject(name.text, id);
  },

  adopt(name: SysvName, { owner }: ObjectOptions): FoundObject | undefined {
    const object = sysvObjects.open(name, "readwrite", { owner });
    return object && { object, sized: false };
  },

  /** A System V segment cannot be emptied, so it is removed, and a new one is made. */
  truncate(name: SysvName, options: ObjectOptions): FoundObject | undefined {
    sysvObjects.open(name, "readwrite", options)?.close();
    if (sysvObjects.hasUsers(name)) {
      const action = `Cannot truncate segment ${shown(name.text)}`;
      throw new StateError("EBUSY", `${action}: another handle has it attached`);
    }
    sysvObjects.unlink(name);
    const object = sysvObjects.create(name, options);
    return object && { object, sized: false };
  },

  unlink(name: SysvName): boolean {
    const id = idOf(name);
    if (id === -E.ENOENT) return false;
    if (id < 0) fail(`Cannot unlink segment ${shown(name.text)}`, id, "shmget", name.text);
    return removeId(name.text, id);
  },

  exists(name: SysvName): boolean {
    const id = idOf(name);
    if (id < 0) return id !== -E.ENOENT;
    const stat = shmStat(id);
    return typeof stat !== "number" || !isRemoved(stat);
  },

  hasUsers(name: SysvName): boolean {
    const id = idOf(name);
    if (id === -E.ENOENT) return false;
    if (id < 0) fail(`Cannot look at segment ${shown(name.text)}`, id, "shmget", name.text);
    const stat = shmStat(id);
    if (typeof stat !== "number") return stat.attachments > 0;
    if (isRemoved(stat)) return false;
    return fail(`Cannot look at segment ${shown(name.text)}`, stat, "shmctl", name.text);
  },
};
