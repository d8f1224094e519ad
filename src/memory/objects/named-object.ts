/** Objects with names, and how they are made, sized, joined and removed without races. */
import { writeSync } from "node:fs";
import { shown } from "../../arguments.ts";
import { StateError } from "../../errors.ts";
import { USERS_BYTE } from "../../layout/lock-bytes.ts";
import { E, fail } from "../../libc/errno.ts";
import { close, fchmod, ftruncate, isByteLocked, isByteTaken, lockByte } from "../../libc/fcntl.ts";
import { C } from "../../libc/platform.ts";
import { type MakerDeadlines, deadlinesFor, waitForMaker } from "../../waiting/patience.ts";
import { failLock } from "../byte-lock.ts";
import { DescriptorObject, setSize } from "./descriptor-object.ts";
import { Descriptor, LOOK_FLAGS, withDescriptors } from "../descriptor.ts";
import { isUsedElsewhere } from "../user-table.ts";
import {
  type NameCalls,
  hintOfOther,
  isNamed,
  openExisting,
  removeIfStill,
  removeName,
} from "./object-names.ts";
import { type OwnerOptions, isStranger, refuseStranger } from "./owner.ts";
import { roomHint } from "./room.ts";
import type { PathName } from "./segment-name.ts";
import {
  type Access,
  type FoundObject,
  type ObjectOptions,
  type ObjectSpace,
  type ObjectStat,
  type OpenOptions,
  type SharedObject,
  statDescriptor,
} from "./shared-object.ts";
import { checkIsMemory, isUsed, joinUsers, lockAlone } from "./users.ts";

/** What an EACCES means; with `readable`, the caller can ask for reading only. */
function describeAccess(access: Access, readable: boolean): string {
  if (access === "read") return "It belongs to another user, and its mode keeps this one out";
  const why = "Its owner or mode forbids writing";
  return readable
    ? `${why}; pass { access: "read" } to read it only`
    : `${why}, which this call needs`;
}

/** What a call that makes an object cannot do on a file system without permissions. */
function failMode(action: string, result: number, text: string): never {
  const hint = "Its file system may have no permissions (vfat, CIFS, 9p): leave out the mode there";
  return fail(action, result, "fchmod", text, hint);
}

/** Whether a program has the object that takes no locks of this package, as /proc shows. */
function isHeldByOthers({ device, inode }: ObjectStat): boolean {
  return isUsedElsewhere(device, inode);
}

/*
 * Who may size an object: its name appears with size 0, before anyone can give it a size. So:
 *
 *   - only a process that holds the users' lock exclusively sizes an empty object, and checks again
 *     first that it is empty;
 *   - a process joins the users (shared lock) only of an object that has a size.
 *
 * A creator that dies in between leaves an empty object without a lock. Then `adopt` can take the
 * exclusive lock and finish the work; whoever comes second finds a size, and joins. A creator in
 * another language may take no lock: then /proc knows whether it lives.
 *
 * Whoever waits for the size looks at the name, and holds no descriptor: so a descriptor of an
 * empty object is that of its creator.
 */

/** How an object is to be opened. */
interface Opening extends OwnerOptions {
  readonly access: Access;
  /** Whether the caller's own call has the option `access`. */
  readonly readable?: boolean;
}

/** All objects that one set of calls finds by name. */
export class NamedSpace implements ObjectSpace<PathName> {
  readonly #calls: NameCalls;

  constructor(calls: NameCalls) {
    this.#calls = calls;
  }

  get openCall(): string {
    return this.#calls.openCall;
  }

  create(name: PathName, options: ObjectOptions): SharedObject | undefined {
    const { text, path } = name;
    const action = `Cannot create segment ${shown(text)}`;
    const { size, mode = 0o600 } = options;
    const flags = C.O_RDWR | C.O_CREAT | C.O_EXCL | C.O_CLOEXEC | C.SHM_OPEN_NONBLOCK;
    // Others see it when it has its lock, or else one who may read could hold that first.
    const opened = withDescriptors(() => this.#calls.open(path, flags, mode & 0o700));
    if (opened === -E.EEXIST) return undefined;
    if (opened < 0) {
      fail(action, opened, this.openCall, text, this.#roomHint(opened, path, size));
    }
    const descriptor = new Descriptor(`segment ${shown(text)}`, opened);
    let isMine = false;
    try {
      const alone = lockByte(opened, USERS_BYTE);
      isMine = alone !== -E.EAGAIN && statDescriptor(opened).size === 0;
      if (!isMine) {
        // This process was stopped for so long that another one has adopted the object.
        descriptor.close();
        return undefined;
      }
      if (alone < 0) failLock(action, alone, text);
      const changed = fchmod(opened, mode);
      if (changed < 0 && options.mode !== undefined) failMode(action, changed, text);
      this.#size(action, name, opened, options);
      joinUsers(action, text, opened);
      return this.#own(name, descriptor);
    } catch (error) {
      // The first error is the one that the caller needs.
      if (isMine) removeIfStill(this.#calls, path, statDescriptor(opened));
      descriptor.close();
      throw error;
    }
  }

  open(
    name: PathName,
    access: Access,
    { readable = false, until = deadlinesFor(), owner }: OpenOptions = {},
  ): SharedObject | undefined {
    const action = `Cannot open segment ${shown(name.text)}`;
    for (;;) {
      if (!this.#waitForSize(name, until, owner)) this.#failEmpty(action, name);
      const found = this.#with(action, name, { access, readable, owner }, (descriptor) =>
        this.#join(action, name, descriptor, until),
      );
      if (found !== "again") return found;
    }
  }

  adopt(name: PathName, options: ObjectOptions): FoundObject | undefined {
    const action = `Cannot open segment ${shown(name.text)}`;
    const until = deadlinesFor();
    const opening = { access: "readwrite", owner: options.owner } as const;
    for (let sized = false; ; sized = false) {
      const hasSize = this.#waitForSize(name, until, options.owner);
      if (!hasSize && this.#isBeingMade(name)) this.#failEmpty(action, name);
      const object = this.#with(action, name, opening, (descriptor) => {
        if (!hasSize) sized = this.#sizeIfEmpty(action, name, descriptor, options, until);
        return this.#join(action, name, descriptor, until);
      });
      if (object !== "again") return object && { object, sized };
    }
  }

  truncate(name: PathName, options: ObjectOptions): FoundObject | undefined {
    const action = `Cannot truncate segment ${shown(name.text)}`;
    const opening = { access: "readwrite", owner: options.owner } as const;
    const object = this.#with(action, name, opening, (descriptor) => {
      const alone = lockByte(descriptor, USERS_BYTE);
      const isUsedNow = alone === -E.EAGAIN || isHeldByOthers(statDescriptor(descriptor));
      if (isUsedNow) {
        const reason =
          "another handle has it open, and cutting it off would end that process (SIGBUS)";
        throw new StateError("EBUSY", `${action}: ${reason}`);
      }
      if (alone < 0) failLock(action, alone, name.text);
      const emptied = ftruncate(descriptor, 0);
      if (emptied < 0) fail(action, emptied, "ftruncate", name.text);
      this.#size(action, name, descriptor, options);
      joinUsers(action, name.text, descriptor);
      return true;
    });
    return object === "again" ? undefined : object && { object, sized: false };
  }

  unlink(name: PathName): boolean {
    return removeName(this.#calls, name);
  }

  /** Removes a name unless a live process uses the object. @returns Whether this call did. */
  unlinkUnused(name: PathName): boolean {
    let descriptor = openExisting(this.#calls, name, "readwrite");
    const writable = descriptor !== -E.EACCES;
    if (!writable) descriptor = openExisting(this.#calls, name, "read");
    if (descriptor === -E.ENOENT) return false;
    // A socket has no users to ask for. Of what this user may not open, nobody knows.
    if (descriptor === -E.ENXIO) return removeName(this.#calls, name);
    const action = `Cannot remove segment ${shown(name.text)}`;
    if (descriptor < 0) fail(action, descriptor, this.openCall, name.text);
    try {
      // The lock is held to the end, so a process that opens the object now waits, and finds no
      // name. A lock needs write access; without it, the kernel can only be asked.
      const free = writable
        ? lockByte(descriptor, USERS_BYTE) === 0
        : isByteLocked(descriptor, USERS_BYTE) === 0;
      if (!free) return false;
      return removeName(this.#calls, name, statDescriptor(descriptor));
    } finally {
      close(descriptor);
    }
  }

  exists(name: PathName): boolean {
    const stat = this.#calls.stat(name.path);
    if (typeof stat !== "number") return true;
    if (stat === -E.ENOENT || stat === -E.ENOTDIR) return false;
    return fail(`Cannot look at segment ${shown(name.text)}`, stat, "stat", name.text);
  }

  hasUsers(name: PathName): boolean {
    const action = `Cannot look at segment ${shown(name.text)}`;
    const descriptor = this.#openToLook(name);
    if (descriptor === -E.ENOENT || descriptor === -E.ENXIO) return false;
    if (descriptor < 0) fail(action, descriptor, this.openCall, name.text);
    try {
      return isUsed(action, name.text, descriptor);
    } finally {
      close(descriptor);
    }
  }

  #openToLook({ path }: PathName): number {
    return withDescriptors(() => this.#calls.open(path, LOOK_FLAGS, 0));
  }

  #own(name: PathName, descriptor: Descriptor): SharedObject {
    return new DescriptorObject(this.#calls.backing, name.text, descriptor, {
      remove: (object, own) => removeName(this.#calls, name, object, own),
      isGone: (object) => !isNamed(this.#calls, name, object),
      roomHint: (result, size) => this.#roomHint(result, name.path, size),
    });
  }

  /** @param prepare Returns whether the object can be used: else all begins again. */
  #with(
    action: string,
    name: PathName,
    { access, readable = false, owner }: Opening,
    prepare: (descriptor: number) => boolean,
  ): SharedObject | "again" | undefined {
    const opened = openExisting(this.#calls, name, access);
    if (opened === -E.ENOENT) return undefined;
    if (opened < 0) {
      const hint =
        opened === -E.EACCES
          ? describeAccess(access, readable)
          : hintOfOther(action, opened, () => this.#calls.stat(name.path));
      fail(action, opened, this.openCall, name.text, hint);
    }
    const descriptor = new Descriptor(`segment ${shown(name.text)}`, opened);
    try {
      const stat = statDescriptor(opened);
      checkIsMemory(action, stat);
      refuseStranger(action, stat.uid, owner);
      if (prepare(opened)) return this.#own(name, descriptor);
      descriptor.close();
      return "again";
    } catch (error) {
      descriptor.close();
      throw error;
    }
  }

  /** @returns Whether this joined the users: false while the object is empty. */
  #join(action: string, name: PathName, descriptor: number, until: MakerDeadlines): boolean {
    const hasSize = (): boolean => statDescriptor(descriptor).size > 0;
    if (!hasSize()) return false;
    joinUsers(action, name.text, descriptor, until);
    return hasSize();
  }

  /**
   * Waits for a creator that has not given the object its size yet.
   * @returns Whether it has one, or will not be used: then opening it says why.
   */
  #waitForSize(name: PathName, until: MakerDeadlines, owner: OwnerOptions["owner"]): boolean {
    const look = (): true | undefined => {
      const stat = this.#calls.stat(name.path);
      if (typeof stat === "number" || !stat.isFile || stat.size > 0) return true;
      return isStranger(stat.uid, owner) ? true : undefined;
    };
    return waitForMaker(look, () => this.#isBeingMade(name), until) === true;
  }

  /** Whether a process lives that has the empty object. */
  #isBeingMade(name: PathName): boolean {
    const descriptor = this.#openToLook(name);
    if (descriptor < 0) return false;
    try {
      const taken = isByteTaken(descriptor, USERS_BYTE) === 1;
      return taken || isHeldByOthers(statDescriptor(descriptor));
    } finally {
      close(descriptor);
    }
  }

  #failEmpty(action: string, name: PathName): never {
    if (this.#isBeingMade(name)) {
      const way = "Wait longer, with waitMs where the call has it";
      throw new StateError("EBUSY", `${action}: a live process is still making it. ${way}`);
    }
    const reason = "it is empty, and nobody is giving it a size";
    const ways = "Segment.openOrCreate gives it one, and Segment.unlink takes its name away";
    throw new StateError("ENODATA", `${action}: ${reason}. ${ways}`);
  }

  /** Gives an object its size, and the mark of what will be made in it. */
  #size(
    action: string,
    { text, path }: PathName,
    descriptor: number,
    { size, reserve = true, mark }: ObjectOptions,
  ): void {
    const sized = setSize(descriptor, size, reserve);
    if (sized < 0) {
      const call = reserve ? "posix_fallocate" : "ftruncate";
      fail(action, sized, call, text, this.#roomHint(sized, path, size));
    }
    if (mark === undefined) return;
    try {
      writeSync(descriptor, new Uint8Array(Uint32Array.of(mark.word).buffer), 0, 4, mark.offset);
    } catch {
      // Huge pages cannot be written to: whoever makes it writes the mark once it is mapped.
    }
  }

  /** @returns Whether the object was empty and has its size from this call. */
  #sizeIfEmpty(
    action: string,
    name: PathName,
    descriptor: number,
    options: ObjectOptions,
    until: MakerDeadlines,
  ): boolean {
    if (statDescriptor(descriptor).size > 0) return false;
    lockAlone(action, name.text, descriptor, until);
    if (statDescriptor(descriptor).size > 0) return false;
    this.#size(action, name, descriptor, options);
    return true;
  }

  #roomHint(result: number, path: string, size: number): string | undefined {
    return roomHint(result, this.#calls.directoryOf(path), size, this.#calls.roomHint);
  }
}
