/** Nameless objects: a memfd, made here or reached through a descriptor. */
import { fchmodSync } from "node:fs";
import { E, fail } from "../../libc/errno.ts";
import { addSeals, close, dup, open } from "../../libc/fcntl.ts";
import { memfdCreate } from "../../libc/mman.ts";
import { C } from "../../libc/platform.ts";
import { DescriptorObject, setSize } from "./descriptor-object.ts";
import { Descriptor } from "../descriptor.ts";
import { hasSharedLock, joinUsers } from "./named-object.ts";
import { pathOf } from "./segment-name.ts";
import {
  type Access,
  type FoundObject,
  type ObjectOptions,
  type ObjectSpace,
  type SharedObject,
  statDescriptor,
} from "./shared-object.ts";

const nothingToRemove = (): boolean => false;

function adopt(name: string, opened: number, prepare: (descriptor: number) => void): SharedObject {
  const descriptor = new Descriptor(`segment "${name}"`, opened);
  try {
    prepare(opened);
    return new DescriptorObject("memfd", name, descriptor, nothingToRemove);
  } catch (error) {
    descriptor.close();
    throw error;
  }
}

/** `memfd:LABEL`: made anew each time. The label is for people who read /proc. */
export const memfdObjects: ObjectSpace = {
  create(name: string, options: ObjectOptions): SharedObject {
    const action = `Cannot create segment "${name}"`;
    const { size, mode = 0o600, reserve = true, sealed = true, hugePages = false } = options;
    const flags = C.MFD_CLOEXEC | C.MFD_ALLOW_SEALING | (hugePages ? C.MFD_HUGETLB : 0);
    const opened = memfdCreate(pathOf(name), flags);
    if (opened < 0) fail(action, opened, "memfd_create", name);
    return adopt(name, opened, (descriptor) => {
      fchmodSync(descriptor, mode);
      const sized = setSize(descriptor, size, reserve);
      if (sized < 0) {
        const hint = hugePages
          ? "Huge pages are set aside beforehand: sysctl vm.nr_hugepages says how many"
          : undefined;
        fail(action, sized, "posix_fallocate", name, hint);
      }
      if (sealed) {
        // Nobody can cut it off under a reader (SIGBUS), and nobody can take the seals away.
        const result = addSeals(descriptor, C.F_SEAL_SHRINK | C.F_SEAL_GROW | C.F_SEAL_SEAL);
        if (result < 0) fail(action, result, "fcntl", name);
      }
      joinUsers(action, name, descriptor);
    });
  },

  open(): undefined {
    return undefined;
  },

  adopt(): undefined {
    return undefined;
  },

  truncate(): undefined {
    return undefined;
  },

  unlink: nothingToRemove,
  exists: nothingToRemove,
  hasUsers: nothingToRemove,
};

/**
 * A new open file description of what a descriptor stands for, so that its locks are this process's
 * own; where another user's mode forbids that, a duplicate.
 */
function reopen(name: string, access: Access): number {
  const path = pathOf(name);
  const flags = (access === "read" ? C.O_RDONLY : C.O_RDWR) | C.O_CLOEXEC | C.O_NONBLOCK;
  const opened = open(path, flags);
  const inherited = /^\/proc\/self\/fd\/(\d+)$/.exec(path)?.[1];
  return opened === -E.EACCES && inherited !== undefined ? dup(Number(inherited)) : opened;
}

/** `fd:NUMBER`, inherited from the parent, and `/proc/PID/fd/NUMBER`, another process's. */
export const inheritedObjects: ObjectSpace = {
  ...memfdObjects,

  create(name: string): undefined {
    throw new TypeError(
      `Cannot create segment "${name}": a descriptor can only be opened; create "memfd:LABEL"`,
    );
  },

  open(name: string, access: Access): SharedObject | undefined {
    const action = `Cannot open segment "${name}"`;
    const opened = reopen(name, access);
    if (opened === -E.ENOENT) return undefined;
    if (opened < 0) {
      const hint =
        "Another process's descriptors are open to its own user and to root; others inherit them";
      fail(action, opened, "open", name, opened === -E.EACCES ? hint : undefined);
    }
    return adopt(name, opened, (descriptor) => {
      const { isFile, size } = statDescriptor(descriptor);
      if (!isFile) fail(action, -E.EINVAL, "fstat", name, "It is no shared memory object");
      if (size === 0) fail(action, -E.ENODATA, "fstat", name, "It is empty");
      joinUsers(action, name, descriptor);
    });
  },

  adopt(name: string): FoundObject | undefined {
    const object = inheritedObjects.open(name, "readwrite");
    return object && { object, sized: false };
  },

  exists(name: string): boolean {
    const descriptor = reopen(name, "read");
    if (descriptor >= 0) close(descriptor);
    return descriptor !== -E.ENOENT;
  },

  hasUsers(name: string): boolean {
    const descriptor = reopen(name, "read");
    if (descriptor === -E.ENOENT) return false;
    if (descriptor < 0) fail(`Cannot look at segment "${name}"`, descriptor, "open", name);
    try {
      return hasSharedLock(descriptor);
    } finally {
      close(descriptor);
    }
  },
};
