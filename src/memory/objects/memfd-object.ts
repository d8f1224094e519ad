/** Nameless objects: memfds that are made here, or reached through a descriptor. */
import { shown } from "../../arguments.ts";
import { StateError } from "../../errors.ts";
import { E, fail } from "../../libc/errno.ts";
import { addSeals, close, dup, fchmod, open } from "../../libc/fcntl.ts";
import { memfdCreate } from "../../libc/mman.ts";
import { C } from "../../libc/platform.ts";
import { DescriptorObject, type NameOfObject, hugePageSize, setSize } from "./descriptor-object.ts";
import { Descriptor, LOOK_FLAGS, withDescriptors } from "../descriptor.ts";
import { HUGE_PAGES_HINT } from "./room.ts";
import type { PathName } from "./segment-name.ts";
import {
  type Access,
  type FoundObject,
  type ObjectOptions,
  type ObjectSpace,
  type SharedObject,
  statDescriptor,
} from "./shared-object.ts";
import { checkIsMemory, isUsed, joinUsers } from "./users.ts";

const nothing = (): undefined => undefined;
const no = (): boolean => false;
const NAMELESS: NameOfObject = { remove: no, isGone: no, roomHint: nothing };

function adopt(
  text: string,
  opened: number,
  prepare: (descriptor: Descriptor) => void,
): SharedObject {
  const descriptor = new Descriptor(`segment ${shown(text)}`, opened);
  try {
    prepare(descriptor);
    return new DescriptorObject("memfd", text, descriptor, NAMELESS);
  } catch (error) {
    descriptor.close();
    throw error;
  }
}

/** `memfd:LABEL` makes a new object each time. The label is for people who read /proc. */
export const memfdObjects: ObjectSpace<PathName> = {
  openCall: "open",

  create({ text, path }: PathName, options: ObjectOptions): SharedObject {
    const action = `Cannot create segment ${shown(text)}`;
    const { size, mode = 0o600, reserve = true, sealed = true, hugePages = false } = options;
    const flags = C.MFD_CLOEXEC | C.MFD_ALLOW_SEALING | (hugePages ? C.MFD_HUGETLB : 0);
    const opened = withDescriptors(() => memfdCreate(path, flags));
    if (opened < 0) fail(action, opened, "memfd_create", text);
    return adopt(text, opened, ({ number: descriptor }) => {
      const changed = fchmod(descriptor, mode);
      if (changed < 0) fail(action, changed, "fchmod", text);
      const pages = hugePageSize(descriptor);
      if (pages !== undefined && size % pages !== 0) {
        const rule = `its size must be a multiple of the huge page's, ${pages} bytes`;
        throw new RangeError(`${action}: ${rule}, not ${size}`);
      }
      const sized = setSize(descriptor, size, reserve);
      if (sized < 0) {
        fail(action, sized, "posix_fallocate", text, hugePages ? HUGE_PAGES_HINT : undefined);
      }
      if (sealed) {
        // Nobody can shrink it, which would end readers with a SIGBUS, or remove the seals.
        const result = addSeals(descriptor, C.F_SEAL_SHRINK | C.F_SEAL_GROW | C.F_SEAL_SEAL);
        if (result < 0) fail(action, result, "fcntl", text);
      }
      joinUsers(action, text, descriptor);
    });
  },

  open: nothing,
  adopt: nothing,
  truncate: nothing,
  unlink: no,
  exists: no,
  hasUsers: no,
};

/**
 * Opens what a descriptor refers to again, because a new open file description has locks of its
 * own. Where the mode forbids that to this user, the descriptor is duplicated.
 */
function reopen(path: string, access: Access | "look"): number {
  const mode = access === "read" ? C.O_RDONLY : C.O_RDWR;
  const flags = access === "look" ? LOOK_FLAGS : mode | C.O_CLOEXEC | C.O_NONBLOCK;
  const opened = withDescriptors(() => open(path, flags));
  const inherited = /^\/proc\/self\/fd\/(\d+)$/.exec(path)?.[1];
  return opened === -E.EACCES && inherited !== undefined ? dup(Number(inherited)) : opened;
}

/** `fd:NUMBER`, inherited from the parent, and `/proc/PID/fd/NUMBER`, another process's. */
export const inheritedObjects: ObjectSpace<PathName> = {
  openCall: "open",

  create({ text }: PathName): undefined {
    throw new TypeError(
      `Cannot create segment ${shown(text)}: a descriptor can only be opened; create "memfd:LABEL"`,
    );
  },

  open({ text, path }: PathName, access: Access): SharedObject | undefined {
    const action = `Cannot open segment ${shown(text)}`;
    const opened = reopen(path, access);
    if (opened === -E.ENOENT) return undefined;
    if (opened < 0) {
      const hint =
        "Another process's descriptors are open to its own user and to root; others inherit them";
      fail(action, opened, "open", text, opened === -E.EACCES ? hint : undefined);
    }
    return adopt(text, opened, (descriptor) => {
      // It may be a duplicate of the parent's.
      const number = descriptor.share();
      const stat = statDescriptor(number);
      checkIsMemory(action, stat);
      if (stat.size === 0) throw new StateError("ENODATA", `${action}: it is empty`);
      joinUsers(action, text, number);
    });
  },

  adopt(name: PathName): FoundObject | undefined {
    const object = inheritedObjects.open(name, "readwrite");
    return object && { object, sized: false };
  },

  truncate: nothing,
  unlink: no,

  exists({ path }: PathName): boolean {
    const descriptor = reopen(path, "look");
    if (descriptor >= 0) close(descriptor);
    return descriptor !== -E.ENOENT;
  },

  hasUsers({ text, path }: PathName): boolean {
    const descriptor = reopen(path, "look");
    if (descriptor === -E.ENOENT) return false;
    const action = `Cannot look at segment ${shown(text)}`;
    if (descriptor < 0) fail(action, descriptor, "open", text);
    try {
      return isUsed(action, text, descriptor);
    } finally {
      close(descriptor);
    }
  },
};
