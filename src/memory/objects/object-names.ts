/** The names of objects: the calls that find them, and how a name is removed without a race. */
import { shown } from "../../arguments.ts";
import { UNLINK_BYTE } from "../../layout/lock-bytes.ts";
import { E, fail } from "../../libc/errno.ts";
import { close, isByteTaken, lockByte, unlockByte } from "../../libc/fcntl.ts";
import { C } from "../../libc/platform.ts";
import { deadlinesFor } from "../../waiting/patience.ts";
import { withDescriptors } from "../descriptor.ts";
import type { PathName } from "./segment-name.ts";
import {
  type Access,
  type Backing,
  type ObjectStat,
  sameObject,
  statDescriptor,
} from "./shared-object.ts";
import { checkIsMemory, whenFree } from "./users.ts";

/** What differs between POSIX objects and files: the calls, and the calls' names in errors. */
export interface NameCalls {
  readonly backing: Backing;
  readonly openCall: string;
  readonly unlinkCall: string;
  /** A descriptor, or a negated errno: -ELOOP for a symbolic link, which it does not follow. */
  open(path: string, flags: number, mode: number): number;
  /** 0, or a negated errno. */
  unlink(path: string): number;
  /** Looks at the object of a name, and takes no descriptor where that can be. Or an errno. */
  stat(path: string): ObjectStat | number;
  /** The directory whose free space a new object uses; undefined where it cannot be asked. */
  directoryOf(path: string): string | undefined;
  /** What to do when that space is used up. */
  readonly roomHint: string;
}

/**
 * Why a name cannot be opened that somebody has given to something else.
 *
 * @param stat Looks at what has the name.
 * @returns A hint. @throws LayoutError for a directory.
 */
export function hintOfOther(
  action: string,
  opened: number,
  stat: () => ObjectStat | number,
): string | undefined {
  if (opened === -E.ELOOP) {
    return "It is a symbolic link, which is not followed here: use its target's own name";
  }
  // shm_open says EINVAL of a directory.
  const found = opened === -E.EISDIR || opened === -E.EINVAL ? stat() : opened;
  if (typeof found !== "number") checkIsMemory(action, found);
  return undefined;
}

/** Opens what a name stands for. @returns A descriptor, or a negated errno. */
export function openExisting(calls: NameCalls, { path }: PathName, access: Access): number {
  const flags = (access === "read" ? C.O_RDONLY : C.O_RDWR) | C.O_CLOEXEC | C.SHM_OPEN_NONBLOCK;
  return withDescriptors(() => calls.open(path, flags, 0));
}

/** Whether a name belongs to an object. @throws SystemError when it cannot be looked at. */
export function isNamed(calls: NameCalls, { text, path }: PathName, object: ObjectStat): boolean {
  const now = calls.stat(path);
  if (typeof now !== "number") return sameObject(now, object);
  if (now === -E.ENOENT || now === -E.ENOTDIR) return false;
  return fail(`Cannot look at segment ${shown(text)}`, now, "stat", text);
}

/** Removes the name of an object that nobody else can have yet, whatever the call answers. */
export function removeIfStill(calls: NameCalls, path: string, object: ObjectStat): void {
  const now = calls.stat(path);
  if (typeof now !== "number" && sameObject(now, object)) calls.unlink(path);
}

/**
 * Removes a name; with `only`, just if the name still belongs to that object.
 *
 * Removers of one object take turns by a lock on it. So the name cannot be given to a newer object
 * between the check and the removal, as long as every remover goes through here.
 *
 * @param own A descriptor of the object, for when no other can be had.
 * @returns Whether this call removed it.
 */
export function removeName(
  calls: NameCalls,
  name: PathName,
  only?: ObjectStat,
  own?: number,
): boolean {
  const action = `Cannot unlink segment ${shown(name.text)}`;
  let opened = openExisting(calls, name, "readwrite");
  if (opened === -E.EACCES) opened = openExisting(calls, name, "read");
  if (opened === -E.ENOENT) return false;
  const descriptor = opened < 0 ? own : opened;
  // An object that cannot be opened (a socket, another user's) may still be removable.
  if (descriptor === undefined && only === undefined) return remove(calls, action, name);
  if (descriptor === undefined) fail(action, opened, calls.openCall, name.text);
  try {
    const object = statDescriptor(descriptor);
    if (only !== undefined && !sameObject(object, only)) return false;
    const lock = (): number => {
      const locked = lockByte(descriptor, UNLINK_BYTE);
      // Without write access, or without such locks on this system, it goes on without a lock.
      if (locked !== -E.EAGAIN) return 0;
      // A remover's is exclusive. Who may only read can take shared ones, and keeps nobody.
      return isByteTaken(descriptor, UNLINK_BYTE) === 1 ? locked : 0;
    };
    whenFree(action, name.text, lock, deadlinesFor(0));
    return isNamed(calls, name, object) && remove(calls, action, name);
  } finally {
    if (descriptor === own) unlockByte(descriptor, UNLINK_BYTE);
    else close(descriptor);
  }
}

function remove(calls: NameCalls, action: string, { text, path }: PathName): boolean {
  const result = calls.unlink(path);
  if (result === -E.ENOENT) return false;
  if (result < 0) fail(action, result, calls.unlinkCall, text);
  return true;
}
