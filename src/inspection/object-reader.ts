/**
 * Reads an object's bytes without mapping them. `pread` raises no SIGBUS, whatever others do to the
 * object meanwhile, and needs only the permission to read.
 */
import { closeSync, fstatSync, readSync } from "node:fs";
import { shown } from "../arguments.ts";
import { UnsupportedError } from "../errors.ts";
import { E, fail } from "../libc/errno.ts";
import { isByteLocked, isOpenAlone, isUnwritten, open } from "../libc/fcntl.ts";
import { shmOpen } from "../libc/mman.ts";
import { shmRead, shmStat } from "../libc/shm.ts";
import { LOOK_FLAGS } from "../memory/descriptor.ts";
import { posixObjects } from "../memory/objects/posix-object.ts";
import { type SysvName, parseObjectName, posixName } from "../memory/objects/segment-name.ts";
import { statDescriptor } from "../memory/objects/shared-object.ts";
import { SYSV_LOCKS_PREFIX, idOf } from "../memory/objects/sysv-object.ts";
import { checkIsMemory } from "../memory/objects/users.ts";
import { isParticipantAlive } from "../memory/participant-identity.ts";
import { objectKey, sysvKey } from "../memory/processes.ts";

/** Reads an object of any backing. */
export interface ObjectReader {
  readonly name: string;
  /** @returns The object's size now, in bytes. */
  size(): number;
  /** @returns A copy of the bytes; fewer when the object ends early. */
  read(offset: number, length: number): Uint8Array;
  /** @returns Whether a live process holds a lock byte; undefined when that cannot be seen. */
  isLocked(byte: number): boolean | undefined;
  /** @returns Whether a participant of its locks lives; undefined when that cannot be seen. */
  isAlive(participant: number): boolean | undefined;
  /** The file system of the object that carries the byte locks, as `stat` has it. */
  readonly device: number;
  /** @returns The key of the object, as the table of users has it. */
  key(): string;
  /** @returns The key of the object that carries the byte locks; undefined while there is none. */
  lockKey(): string | undefined;
  /**
   * @returns Whether no other descriptor or mapping of the object exists, in any process of the
   *   machine; undefined when the kernel does not tell this user.
   */
  isAlone(): boolean | undefined;
  /** @returns Whether any descriptor or mapping of the object can write; undefined likewise. */
  isWritten(): boolean | undefined;
  close(): void;
  [Symbol.dispose](): void;
}

/** Opens an object to read it. @throws SystemError ENOENT, EACCES; UnsupportedError for a memfd. */
export function openReader(name: string): ObjectReader {
  const parsed = parseObjectName(name);
  if (parsed.kind === "sysv") return openSysv(parsed);
  if (parsed.kind === "memfd") {
    throw new UnsupportedError(
      `Cannot look into ${shown(name)}: a memfd has no name; use /proc/PID/fd/NUMBER of a ` +
        "process that has it open",
    );
  }
  const posix = parsed.kind === "posix";
  const action = `Cannot open ${shown(name)}`;
  const descriptor = (posix ? shmOpen : open)(parsed.path, LOOK_FLAGS, 0);
  if (descriptor < 0) {
    fail(action, descriptor, posix ? "shm_open" : "open", name, hintOf(descriptor));
  }
  try {
    checkIsMemory(action, statDescriptor(descriptor));
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return new DescriptorReader(name, descriptor);
}

/** @returns What to do about an object that cannot be opened. */
function hintOf(result: number): string | undefined {
  if (result === -E.ENOENT) return "`bun-shm ls` lists what there is";
  if (result === -E.ELOOP) return "It is a symbolic link, which is not followed here";
  return result === -E.EACCES ? "It belongs to another user: ask them, or root" : undefined;
}

class DescriptorReader implements ObjectReader {
  readonly name: string;
  #descriptor: number;

  constructor(name: string, descriptor: number) {
    this.name = name;
    this.#descriptor = descriptor;
  }

  size(): number {
    return fstatSync(this.#descriptor).size;
  }

  read(offset: number, length: number): Uint8Array {
    const wanted = Math.max(0, Math.min(length, this.size() - offset));
    const bytes = new Uint8Array(wanted);
    let filled = 0;
    while (filled < wanted) {
      const count = readSync(this.#descriptor, bytes, filled, wanted - filled, offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  }

  isLocked(byte: number): boolean | undefined {
    const result = isByteLocked(this.#descriptor, byte);
    return result < 0 ? undefined : result === 1;
  }

  isAlive(participant: number): boolean | undefined {
    const result = isParticipantAlive(this.#descriptor, participant);
    return typeof result === "number" ? undefined : result;
  }

  get device(): number {
    return fstatSync(this.#descriptor).dev;
  }

  key(): string {
    const { dev, ino } = fstatSync(this.#descriptor);
    return objectKey(dev, ino);
  }

  lockKey(): string {
    return this.key();
  }

  isAlone(): boolean | undefined {
    const result = isOpenAlone(this.#descriptor);
    return result < 0 ? undefined : result === 1;
  }

  isWritten(): boolean | undefined {
    const result = isUnwritten(this.#descriptor);
    return result < 0 ? undefined : result === 0;
  }

  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function openSysv(parsed: SysvName): ObjectReader {
  const name = parsed.text;
  const action = `Cannot open ${shown(name)}`;
  if (parsed.target === "private") {
    throw new UnsupportedError(
      `Cannot look into ${shown(name)}: each one is new, and has no name but its sysv:#ID`,
    );
  }
  const id = idOf(parsed);
  if (id < 0) fail(action, id, "shmget", name, hintOf(id));
  const size = (): number => {
    const stat = shmStat(id);
    if (typeof stat !== "number") return stat.size;
    const result = stat === -E.EINVAL || stat === -E.EIDRM ? -E.ENOENT : stat;
    return fail(action, result, "shmctl", name, hintOf(result));
  };
  size();
  const read = (offset: number, length: number): Uint8Array => {
    const wanted = Math.max(0, Math.min(length, size() - offset));
    if (wanted === 0) return new Uint8Array();
    const bytes = shmRead(id, offset, wanted);
    return typeof bytes === "number" ? fail(action, bytes, "shmat", name, hintOf(bytes)) : bytes;
  };
  // Its locks lie on another object, which is made when the first one is taken.
  const locks = `${SYSV_LOCKS_PREFIX}${id}`;
  const ask = <T>(question: (reader: ObjectReader) => T): T | undefined => {
    const descriptor = shmOpen(locks, LOOK_FLAGS, 0);
    if (descriptor < 0) return undefined;
    using reader = new DescriptorReader(locks, descriptor);
    return question(reader);
  };
  const close = (): void => undefined;
  return {
    name,
    size,
    read,
    get device() {
      return ask((reader) => reader.device) ?? 0;
    },
    key: () => sysvKey(id),
    lockKey: () => ask((reader) => reader.key()),
    isLocked(byte) {
      const exists = posixObjects.exists(posixName(locks));
      return exists ? ask((reader) => reader.isLocked(byte)) : false;
    },
    isAlive: (participant) => ask((reader) => reader.isAlive(participant)),
    isAlone: () => undefined,
    isWritten: () => undefined,
    close,
    [Symbol.dispose]: close,
  };
}
