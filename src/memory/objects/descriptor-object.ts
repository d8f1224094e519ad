/** A shared object behind a file descriptor: POSIX, memfd and file are all of this kind. */
import { statfsSync } from "node:fs";
import { shown } from "../../arguments.ts";
import { USERS_BYTE } from "../../layout/lock-bytes.ts";
import { E, fail } from "../../libc/errno.ts";
import { dup, ftruncate, getSeals, pageSize, reserveBytes, shareByte } from "../../libc/fcntl.ts";
import { C } from "../../libc/platform.ts";
import { Descriptor } from "../descriptor.ts";
import { type MappedPart, Mapping } from "../mapping.ts";
import {
  type Backing,
  type ObjectStat,
  type SharedObject,
  statDescriptor,
} from "./shared-object.ts";

/** Answers of file systems that cannot reserve: NFS, ramfs, FUSE, older overlays; ZFS (EINVAL). */
const CANNOT_RESERVE: ReadonlySet<number> = new Set(
  [E.EOPNOTSUPP, E.ENOTSUP, E.ENOSYS, E.EINVAL].map((error) => -error),
);

/**
 * Gives an object its size, and with `reserve` also memory, unless its file system cannot reserve
 * any. @returns 0, or a negated errno.
 */
export function setSize(descriptor: number, size: number, reserve: boolean): number {
  const reserved = reserve ? reserveBytes(descriptor, size) : -E.ENOSYS;
  return CANNOT_RESERVE.has(reserved) ? ftruncate(descriptor, size) : reserved;
}

/** `f_type` of a hugetlbfs, of which huge memfds are files too. */
const HUGETLBFS_TYPE = 0x958458f6;

/** Bytes of the pages that back an object, if they are huge; else undefined. */
export function hugePageSize(descriptor: number): number | undefined {
  const { blockSize } = statDescriptor(descriptor);
  // Other file systems with large blocks have ordinary pages.
  if (blockSize <= pageSize() || process.platform !== "linux") return undefined;
  return statfsSync(`/proc/self/fd/${descriptor}`).type === HUGETLBFS_TYPE ? blockSize : undefined;
}

/** The seals of a memfd: what nobody can do to it any more; 0 for every other object. */
function sealsOf(descriptor: number): number {
  return Math.max(0, getSeals(descriptor));
}

/** What can be done with the name of an object. */
export interface NameOfObject {
  /** Removes it if it still belongs to the object. @param own A descriptor of that. */
  remove(object: ObjectStat, own: number): boolean;
  isGone(object: ObjectStat): boolean;
  roomHint(result: number, size: number): string | undefined;
}

export class DescriptorObject implements SharedObject {
  readonly backing: Backing;
  readonly name: string;
  readonly descriptor: Descriptor;
  readonly mapCall = "mmap";
  readonly #named: NameOfObject;
  #handedOut: Descriptor | undefined;

  constructor(backing: Backing, name: string, descriptor: Descriptor, named: NameOfObject) {
    this.backing = backing;
    this.name = name;
    this.descriptor = descriptor;
    this.#named = named;
  }

  stat(): ObjectStat {
    return statDescriptor(this.descriptor.number);
  }

  isSealed(): boolean {
    return (sealsOf(this.descriptor.number) & C.F_SEAL_SHRINK) !== 0;
  }

  map(part: MappedPart): Mapping | number {
    const { number } = this.descriptor;
    return Mapping.map(`segment ${shown(this.name)}`, number, part, hugePageSize(number));
  }

  checkResizable(): void {
    // Every file can be resized; if it is sealed, the call fails (EPERM).
  }

  setSize(size: number, reserve: boolean): number {
    const { number } = this.descriptor;
    const before = this.stat().size;
    const result = setSize(number, size, reserve);
    // What was reserved in pieces before the room ended is given back.
    if (result < 0 && this.stat().size > before) ftruncate(number, before);
    return result;
  }

  handOut(): number {
    this.#handedOut ??= this.#openAgain() ?? this.descriptor;
    return this.#handedOut.share();
  }

  keep(): Descriptor {
    const what = `segment ${shown(this.name)}`;
    const again = this.#openAgain();
    if (again !== undefined) return again;
    const copy = dup(this.descriptor.number);
    return new Descriptor(what, copy < 0 ? fail(`Cannot keep ${what}`, copy, "fcntl") : copy);
  }

  /** Of an open file description of its own, so that a child inherits only that it is a user. */
  #openAgain(): Descriptor | undefined {
    const again = this.descriptor.openAgain();
    if (again === undefined || shareByte(again.number, USERS_BYTE) === 0) return again;
    again.close();
    return undefined;
  }

  lockTarget(): Descriptor {
    return this.descriptor;
  }

  unlink(): boolean {
    return this.#named.remove(this.stat(), this.descriptor.number);
  }

  isGone(): boolean {
    return this.#named.isGone(this.stat());
  }

  roomHint(result: number, size: number): string | undefined {
    return this.#named.roomHint(result, size);
  }

  serve(buffer: ArrayBuffer): void {
    this.descriptor.serve(buffer);
  }

  close(): void {
    this.#handedOut?.close();
    this.descriptor.close();
  }
}
