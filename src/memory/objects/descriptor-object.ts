/** A shared object behind a file descriptor: POSIX, memfd and file are all of this kind. */
import { shown } from "../../arguments.ts";
import { E } from "../../libc/errno.ts";
import { ftruncate, getSeals, posixFallocate } from "../../libc/fcntl.ts";
import { C } from "../../libc/platform.ts";
import type { Descriptor } from "../descriptor.ts";
import { Mapping } from "../mapping.ts";
import {
  type Backing,
  type ObjectStat,
  type ObjectWindow,
  type SharedObject,
  statDescriptor,
} from "./shared-object.ts";

/** Gives an object its size, and with `reserve` also memory. @returns 0, or a negated errno. */
export function setSize(descriptor: number, size: number, reserve: boolean): number {
  if (!reserve) return ftruncate(descriptor, size);
  return posixFallocate(descriptor, 0, size);
}

/** The seals of a memfd: what nobody can do to it any more; 0 for every other object. */
function sealsOf(descriptor: number): number {
  return Math.max(0, getSeals(descriptor));
}

export class DescriptorObject implements SharedObject {
  readonly backing: Backing;
  readonly name: string;
  readonly descriptor: Descriptor;
  readonly mapCall = "mmap";
  readonly #remove: (object: ObjectStat) => boolean;

  constructor(
    backing: Backing,
    name: string,
    descriptor: Descriptor,
    remove: (object: ObjectStat) => boolean,
  ) {
    this.backing = backing;
    this.name = name;
    this.descriptor = descriptor;
    this.#remove = remove;
  }

  stat(): ObjectStat {
    return statDescriptor(this.descriptor.number);
  }

  isSealed(): boolean {
    return (sealsOf(this.descriptor.number) & C.F_SEAL_SHRINK) !== 0;
  }

  map(window: ObjectWindow): Mapping | number {
    return Mapping.map(`segment ${shown(this.name)}`, this.descriptor.number, window);
  }

  checkResizable(): void {
    // Every file can be resized; if it is sealed, the call fails (EPERM).
  }

  setSize(size: number, reserve: boolean): number {
    const result = setSize(this.descriptor.number, size, reserve);
    // Some file systems (NFS, older overlays) cannot reserve memory; then it gets only its size.
    return result === -E.EOPNOTSUPP ? setSize(this.descriptor.number, size, false) : result;
  }

  lockTarget(): Descriptor {
    return this.descriptor;
  }

  unlink(): boolean {
    return this.#remove(this.stat());
  }

  serve(buffer: ArrayBuffer): void {
    this.descriptor.serve(buffer);
  }

  close(): void {
    this.descriptor.close();
  }
}
