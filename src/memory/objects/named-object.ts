/** Objects with names, and how they are made, sized, joined and removed without races. */
import { fchmodSync, statfsSync } from "node:fs";
import { shown } from "../../arguments.ts";
import { LayoutError, StateError } from "../../errors.ts";
import { UNLINK_BYTE, USERS_BYTE } from "../../layout/lock-bytes.ts";
import { E, fail } from "../../libc/errno.ts";
import { close, ftruncate, isByteLocked, lockByte, shareByte } from "../../libc/fcntl.ts";
import { C } from "../../libc/platform.ts";
import { FOR_CREATOR, waitUntil } from "../../waiting/patience.ts";
import { DescriptorObject, setSize } from "./descriptor-object.ts";
import { Descriptor, LOOK_FLAGS } from "../descriptor.ts";
import type { PathName } from "./segment-name.ts";
import {
  type Access,
  type Backing,
  type FoundObject,
  type ObjectOptions,
  type ObjectSpace,
  type ObjectStat,
  type SharedObject,
  sameObject,
  statDescriptor,
} from "./shared-object.ts";

/** What differs between POSIX objects and files: the calls, and the calls' names in errors. */
export interface NameCalls {
  readonly backing: Backing;
  readonly openCall: string;
  readonly unlinkCall: string;
  /** A descriptor, or a negated errno. */
  open(path: string, flags: number, mode: number): number;
  /** 0, or a negated errno. */
  unlink(path: string): number;
  /** The directory whose free space a new object uses; undefined where it cannot be asked. */
  directoryOf(path: string): string | undefined;
  /** What to do when that space is used up. */
  readonly roomHint: string;
}

/**
 * Repeats a call until its answer is not -EAGAIN, while another process is between two steps.
 * @throws StateError EBUSY when that lasts too long; SystemError for any other failure.
 */
function whenFree(action: string, text: string, syscall: string, attempt: () => number): void {
  const result = waitUntil(() => {
    const answer = attempt();
    return answer === -E.EAGAIN ? undefined : answer;
  }, FOR_CREATOR);
  if (result === undefined) {
    throw new StateError("EBUSY", `${action}: another process is making or removing it`);
  }
  if (result < 0) fail(action, result, syscall, text);
}

/** Joins the object's users by a shared lock, which the kernel releases with the descriptor. */
export function joinUsers(action: string, text: string, descriptor: number): void {
  whenFree(action, text, "fcntl", () => shareByte(descriptor, USERS_BYTE));
}

/** Waits for the exclusive lock, under which an object gets its size. */
function lockAlone(action: string, text: string, descriptor: number): void {
  whenFree(action, text, "fcntl", () => lockByte(descriptor, USERS_BYTE));
}

/** @throws LayoutError for what cannot be mapped: a FIFO, a socket, a device, a directory. */
export function checkIsMemory(action: string, { isFile }: ObjectStat): void {
  if (isFile) return;
  throw new LayoutError(`${action}: it is not a shared memory object`, {
    expected: "bytes that can be mapped",
    found: "a FIFO, a socket, a device or a directory",
    offset: 0,
  });
}

/** Whether a live process has the object open as a segment. It takes nothing: nobody notices. */
export function isUsed(action: string, text: string, descriptor: number): boolean {
  const locked = isByteLocked(descriptor, USERS_BYTE);
  if (locked < 0) fail(action, locked, "fcntl", text);
  return locked === 1;
}

/** Whether the object has a size; it waits for a creator that has not given it one yet. */
function hasSize(descriptor: number): boolean {
  const look = (): true | undefined => statDescriptor(descriptor).size > 0 || undefined;
  return waitUntil(look, FOR_CREATOR) !== undefined;
}

function describeAccess(access: Access): string {
  if (access === "read") return "It belongs to another user, and its mode keeps this one out";
  return 'Its owner or mode forbids writing; { access: "read" } may do';
}

/*
 * Who may size an object: its name appears with size 0, before anyone can give it a size. So:
 *
 *   - only a process that holds the users' lock exclusively sizes an empty object, and checks again
 *     first that it is empty;
 *   - a process joins the users (shared lock) only of an object that has a size.
 *
 * A creator that dies in between leaves an empty object without a lock. Then `adopt` can take the
 * exclusive lock and finish the work; whoever comes second finds a size, and joins.
 */

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
    const { size, mode = 0o600, reserve = true } = options;
    const flags = C.O_RDWR | C.O_CREAT | C.O_EXCL | C.O_CLOEXEC | C.SHM_OPEN_NONBLOCK;
    const opened = this.#calls.open(path, flags, mode);
    if (opened === -E.EEXIST) return undefined;
    if (opened < 0) fail(action, opened, this.openCall, text);
    const descriptor = new Descriptor(`segment ${shown(text)}`, opened);
    try {
      lockAlone(action, text, opened);
      if (statDescriptor(opened).size > 0) {
        // This process was stopped for so long that another one has adopted the object.
        descriptor.close();
        return undefined;
      }
      fchmodSync(opened, mode);
      const sized = setSize(opened, size, reserve);
      if (sized < 0) {
        this.#removeName(action, name);
        this.#failSetSize(action, sized, name, size);
      }
      joinUsers(action, text, opened);
      return this.#own(name, descriptor);
    } catch (error) {
      descriptor.close();
      throw error;
    }
  }

  open(name: PathName, access: Access): SharedObject | undefined {
    const action = `Cannot open segment ${shown(name.text)}`;
    return this.#with(action, name, access, (descriptor) => {
      if (!hasSize(descriptor)) {
        const reason =
          "it is empty: its creator died before it gave it a size, or never meant to. " +
          "Segment.openOrCreate adopts it, Segment.unlink removes it";
        throw new StateError("ENODATA", `${action}: ${reason}`);
      }
      joinUsers(action, name.text, descriptor);
    })?.object;
  }

  adopt(name: PathName, options: ObjectOptions): FoundObject | undefined {
    const action = `Cannot open segment ${shown(name.text)}`;
    return this.#with(action, name, "readwrite", (descriptor) => {
      const sized = !hasSize(descriptor) && this.#sizeIfEmpty(action, name, descriptor, options);
      joinUsers(action, name.text, descriptor);
      return sized;
    });
  }

  truncate(name: PathName, options: ObjectOptions): FoundObject | undefined {
    const action = `Cannot truncate segment ${shown(name.text)}`;
    return this.#with(action, name, "readwrite", (descriptor) => {
      const alone = lockByte(descriptor, USERS_BYTE);
      if (alone === -E.EAGAIN) {
        const reason =
          "another handle has it open, and cutting it off would end that process (SIGBUS)";
        throw new StateError("EBUSY", `${action}: ${reason}`);
      }
      if (alone < 0) fail(action, alone, "fcntl", name.text);
      const emptied = ftruncate(descriptor, 0);
      if (emptied < 0) fail(action, emptied, "ftruncate", name.text);
      this.#sizeIfEmpty(action, name, descriptor, options);
      joinUsers(action, name.text, descriptor);
      return false;
    });
  }

  unlink(name: PathName): boolean {
    return this.#unlink(name);
  }

  /** Removes a name unless a live process uses the object. @returns Whether this call did. */
  unlinkUnused(name: PathName): boolean {
    let descriptor = this.#openExisting(name, "readwrite");
    const writable = descriptor !== -E.EACCES;
    if (!writable) descriptor = this.#openExisting(name, "read");
    // An object that cannot be opened has no users to ask for; its directory decides who may remove
    // it.
    if (descriptor < 0) return descriptor === -E.ENOENT ? false : this.#unlink(name);
    try {
      // The lock is held to the end, so a process that opens the object now waits, and finds no
      // name. A lock needs write access; without it, the kernel can only be asked.
      const free = writable
        ? lockByte(descriptor, USERS_BYTE) === 0
        : isByteLocked(descriptor, USERS_BYTE) === 0;
      if (!free) return false;
      return this.#unlink(name, statDescriptor(descriptor));
    } finally {
      close(descriptor);
    }
  }

  exists(name: PathName): boolean {
    const descriptor = this.#openToLook(name);
    if (descriptor >= 0) close(descriptor);
    return descriptor !== -E.ENOENT && descriptor !== -E.ENOTDIR;
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

  #openExisting({ path }: PathName, access: Access): number {
    const flags = access === "read" ? C.O_RDONLY : C.O_RDWR;
    return this.#calls.open(path, flags | C.O_CLOEXEC | C.SHM_OPEN_NONBLOCK, 0);
  }

  #openToLook({ path }: PathName): number {
    return this.#calls.open(path, LOOK_FLAGS, 0);
  }

  #own(name: PathName, descriptor: Descriptor): SharedObject {
    const remove = (object: ObjectStat): boolean => this.#unlink(name, object);
    return new DescriptorObject(this.#calls.backing, name.text, descriptor, remove);
  }

  #with(
    action: string,
    name: PathName,
    access: Access,
    prepare: (descriptor: number) => boolean | void,
  ): FoundObject | undefined {
    const opened = this.#openExisting(name, access);
    if (opened === -E.ENOENT) return undefined;
    if (opened < 0) {
      const hint = opened === -E.EACCES ? describeAccess(access) : undefined;
      fail(action, opened, this.openCall, name.text, hint);
    }
    const descriptor = new Descriptor(`segment ${shown(name.text)}`, opened);
    try {
      checkIsMemory(action, statDescriptor(opened));
      const sized = prepare(opened) === true;
      return { object: this.#own(name, descriptor), sized };
    } catch (error) {
      descriptor.close();
      throw error;
    }
  }

  /** @returns Whether the object was empty and has its size from this call. */
  #sizeIfEmpty(
    action: string,
    name: PathName,
    descriptor: number,
    { size, reserve = true }: ObjectOptions,
  ): boolean {
    lockAlone(action, name.text, descriptor);
    if (statDescriptor(descriptor).size > 0) return false;
    const sized = setSize(descriptor, size, reserve);
    if (sized < 0) this.#failSetSize(action, sized, name, size);
    return true;
  }

  #failSetSize(action: string, result: number, name: PathName, size: number): never {
    const hint = result === -E.ENOSPC ? this.describeRoom(name.path, size) : undefined;
    return fail(action, result, "posix_fallocate", name.text, hint);
  }

  /** A sentence about the space that is left, for ENOSPC. */
  describeRoom(path: string, wanted: number): string {
    const directory = this.#calls.directoryOf(path);
    if (directory === undefined) return `${wanted} bytes were wanted`;
    const { bavail, blocks, bsize } = statfsSync(directory);
    const [free, all] = [bavail * bsize, blocks * bsize];
    return (
      `${wanted} bytes were wanted, and ${directory} has ${free} of ${all} free. ` +
      this.#calls.roomHint
    );
  }

  /**
   * Removes a name; with `only`, just if the name still belongs to that object.
   *
   * Removers of one object take turns by a lock on it. So the name cannot be given to a newer
   * object between the check and the removal, as long as every remover goes through here.
   */
  #unlink(name: PathName, only?: ObjectStat): boolean {
    const action = `Cannot unlink segment ${shown(name.text)}`;
    let descriptor = this.#openExisting(name, "readwrite");
    if (descriptor === -E.EACCES) descriptor = this.#openExisting(name, "read");
    if (descriptor === -E.ENOENT) return false;
    if (descriptor < 0) {
      // An object that cannot be opened (a socket, another user's) may still be removable.
      if (only !== undefined) fail(action, descriptor, this.openCall, name.text);
      return this.#removeName(action, name);
    }
    try {
      const opened = statDescriptor(descriptor);
      if (only !== undefined && !sameObject(opened, only)) return false;
      whenFree(action, name.text, "fcntl", () => {
        const locked = lockByte(descriptor, UNLINK_BYTE);
        // Without write access, or without such locks on this system, it goes on without a lock.
        return locked === -E.EAGAIN ? locked : 0;
      });
      const again = this.#openToLook(name);
      if (again >= 0) {
        const still = sameObject(statDescriptor(again), opened);
        close(again);
        if (!still) return false;
      } else if (again === -E.ENOENT) {
        return false;
      }
      return this.#removeName(action, name);
    } finally {
      close(descriptor);
    }
  }

  #removeName(action: string, { text, path }: PathName): boolean {
    const result = this.#calls.unlink(path);
    if (result === -E.ENOENT) return false;
    if (result < 0) fail(action, result, this.#calls.unlinkCall, text);
    return true;
  }
}
