/** Named semaphores: how they are made and found, and where they lie. */
import { chmodSync, constants, statSync } from "node:fs";
import { LayoutError } from "../errors.ts";
import { E } from "../libc/errno.ts";
import { close, fchmod, linkDescriptor, open } from "../libc/fcntl.ts";
import { mmap, unmap } from "../libc/mman.ts";
import { C, PLATFORM } from "../libc/platform.ts";
import { unspelled } from "../libc/name-spelling.ts";
import { pathBytes } from "../libc/path-bytes.ts";
import { SEM_LENGTH, semClose, semInit, semOpen, semUnlink } from "../libc/semaphore.ts";
import { has } from "../libc/symbols.ts";
import { withDescriptors } from "../memory/descriptor.ts";
import { setSize } from "../memory/objects/descriptor-object.ts";
import { SEMAPHORE_FILE_PREFIX } from "../memory/objects/object-name.ts";
import { type OwnerOptions, refuseStranger } from "../memory/objects/owner.ts";
import { sameObject, statDescriptor, statPath } from "../memory/objects/shared-object.ts";
import { hintOfOther } from "../memory/objects/object-names.ts";
import { checkIsMemory } from "../memory/objects/users.ts";
import { mappedObject, objectKey } from "../memory/processes.ts";
import { CountedMemory } from "../waiting/wait-memory.ts";

/** Answers with which a system says that it has no nameless files there, or no /proc. */
const NO_NAMELESS: ReadonlySet<number> = new Set([-E.EOPNOTSUPP, -E.EISDIR, -E.EINVAL, -E.ENOENT]);

/** The file behind a named semaphore: sem.x for /x; undefined where the system shows none. */
function fileOf(name: string): string | undefined {
  const directory = PLATFORM?.directory;
  if (directory === undefined) return undefined;
  return `${directory}/${SEMAPHORE_FILE_PREFIX}${unspelled(name).slice(1)}`;
}

/** The name by which libc finds that file. */
function libcName(name: string): string {
  if (PLATFORM?.directory === undefined || has("gnu_get_libc_version")) return name;
  return `/${SEMAPHORE_FILE_PREFIX}${name.slice(1)}`;
}

/** Removes a name. @returns 0, or a negated errno. */
export function unlinkNamed(name: string): number {
  return semUnlink(libcName(name));
}

/**
 * Opens one. `sem_open` does not say what it has opened: so where the system shows the file, that
 * is looked at before it is mapped.
 *
 * @returns The memory, or a negated errno.
 * @throws StateError EPERM when it is another user's; LayoutError when it is no semaphore.
 */
export function openNamed(
  action: string,
  name: string,
  { owner }: OwnerOptions,
): CountedMemory | number {
  const file = fileOf(name);
  if (file === undefined) return adopt(withDescriptors(() => semOpen(name, 0, 0, 0)));
  const flags = C.O_RDWR | C.O_CLOEXEC | C.SHM_OPEN_NONBLOCK | constants.O_NOFOLLOW;
  const descriptor = withDescriptors(() => open(file, flags));
  if (descriptor < 0) return descriptor;
  try {
    const stat = statDescriptor(descriptor);
    checkIsMemory(action, stat);
    refuseStranger(action, stat.uid, owner);
    if (stat.size !== SEM_LENGTH) failSize(action, stat.size);
    const address = mapSemaphore(descriptor);
    return address < 0 ? address : new CountedMemory(address, endMapping);
  } finally {
    close(descriptor);
  }
}

/** Like `hintOfOther`, of a name that cannot be opened. @throws LayoutError. */
export function hintOfOtherNamed(action: string, name: string, opened: number): string | undefined {
  const file = fileOf(name);
  return file === undefined ? undefined : hintOfOther(action, opened, () => statPath(file));
}

function failSize(action: string, found: number): never {
  const details = { expected: `${SEM_LENGTH} bytes`, found: `${found}`, offset: 0 };
  throw new LayoutError(`${action}: it is no semaphore`, details);
}

function adopt(address: number): CountedMemory | number {
  return address < 0 ? address : new CountedMemory(address, semClose);
}

/**
 * Makes one. `sem_open` obeys the umask, so that the mode would have to be set after others have
 * seen the name. So where the system can, a nameless file gets its bytes and its mode, and its name
 * last; whoever dies on the way leaves nothing.
 *
 * @returns The memory, or a negated errno.
 */
export function makeNamed(name: string, value = 0, mode = 0o600): CountedMemory | number {
  const file = fileOf(name);
  const made = file === undefined ? -E.ENOENT : makeFile(file, value, mode);
  if (typeof made !== "number" || !NO_NAMELESS.has(made)) return made;
  const opened = semOpen(libcName(name), C.O_CREAT | C.O_EXCL, mode, value);
  // On a system that shows no file, the umask stays in force.
  if (opened >= 0 && file !== undefined) chmodSync(pathBytes(file), mode);
  return adopt(opened);
}

function makeFile(file: string, value: number, mode: number): CountedMemory | number {
  if (C.O_TMPFILE === 0) return -E.EOPNOTSUPP;
  const directory = file.slice(0, file.lastIndexOf("/"));
  const flags = C.O_TMPFILE | C.O_RDWR | C.O_CLOEXEC;
  const descriptor = withDescriptors(() => open(directory, flags, 0o600));
  if (descriptor < 0) return descriptor;
  const sized = setSize(descriptor, SEM_LENGTH, true);
  let address = sized < 0 ? sized : mapSemaphore(descriptor);
  let result = address < 0 ? address : semInit(address, value);
  if (result >= 0) result = fchmod(descriptor, mode);
  if (result >= 0) result = linkDescriptor(descriptor, file);
  if (result >= 0) address = mapByName(file, descriptor, address);
  close(descriptor);
  if (result >= 0) return new CountedMemory(address, endMapping);
  if (address >= 0) endMapping(address);
  return result;
}

function mapSemaphore(descriptor: number): number {
  return mmap(SEM_LENGTH, C.PROT_READ | C.PROT_WRITE, C.MAP_SHARED, descriptor, 0);
}

/**
 * Maps the semaphore by its name instead: /proc shows what was mapped without one as deleted.
 * @returns The new address; the old one where that is not possible.
 */
function mapByName(file: string, descriptor: number, address: number): number {
  const named = open(file, C.O_RDWR | C.O_CLOEXEC);
  if (named < 0) return address;
  // Somebody may have given the name to another one meanwhile.
  const isSame = sameObject(statDescriptor(named), statDescriptor(descriptor));
  const again = isSame ? mapSemaphore(named) : -E.ESTALE;
  close(named);
  if (again < 0) return address;
  endMapping(address);
  return again;
}

function endMapping(address: number): void {
  unmap(address, SEM_LENGTH);
}

/** Whether the name belongs to the semaphore at an address; undefined where nobody can tell. */
export function isNameOf(name: string, address: number): boolean | undefined {
  const file = fileOf(name);
  const object = mappedObject(address);
  if (file === undefined || object === undefined) return undefined;
  const stat = statSync(pathBytes(file), { throwIfNoEntry: false });
  return stat !== undefined && objectKey(stat.dev, stat.ino) === object;
}
