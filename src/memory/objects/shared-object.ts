/** What a segment stands on: one interface for every kind of shared memory that a system has. */
import { fstatSync } from "node:fs";
import type { Descriptor } from "../descriptor.ts";
import type { Mapping } from "../mapping.ts";
import type { SegmentName } from "./segment-name.ts";

/** Where the memory lives. */
export type Backing = "posix" | "sysv" | "memfd" | "file";

export type Access = "readwrite" | "read";

/** How an object is made. */
export interface ObjectOptions {
  readonly size: number;
  readonly mode?: number | undefined;
  readonly reserve?: boolean | undefined;
  readonly sealed?: boolean | undefined;
  readonly hugePages?: boolean | undefined;
}

/** What the kernel says of an object. */
export interface ObjectStat {
  readonly size: number;
  readonly mode: number;
  readonly inode: bigint;
  readonly device: bigint;
  readonly isFile: boolean;
}

/** The part of an object to map. */
export interface ObjectWindow {
  readonly offset: number;
  readonly length: number;
  readonly access: Access;
}

/** An object that this process has open. */
export interface SharedObject {
  readonly backing: Backing;
  /** Its name from now on; `sysv:private` has become `sysv:#ID`. */
  readonly name: string;
  /** The open descriptor; a System V segment has none. */
  readonly descriptor: Descriptor | undefined;
  stat(): ObjectStat;
  /** Whether the kernel keeps everybody from shrinking it. */
  isSealed(): boolean;
  /** @returns The mapping, or a negated errno of the call `mapCall`. */
  map(window: ObjectWindow): Mapping | number;
  readonly mapCall: string;
  /** Throws unless the object can have another size. */
  checkResizable(action: string): void;
  /** 0, or a negated errno. */
  setSize(size: number, reserve: boolean): number;
  /**
   * What the byte locks of this object lie on. Without `create` it may be undefined: then nobody
   * holds one.
   */
  lockTarget(create: boolean): Descriptor | undefined;
  /** Removes the name if it still stands for this object. @returns Whether this call did. */
  unlink(): boolean;
  /** Ties the open object's life to that of its mapped buffer. */
  serve(buffer: ArrayBuffer): void;
  close(): void;
}

/** An object that was there, and whether it got its size from this call. */
export interface FoundObject {
  readonly object: SharedObject;
  readonly sized: boolean;
}

/**
 * The objects of one backing, by name. `N` is the form that its names have: `spaceOf` sees to it
 * that each space meets only its own.
 */
export interface ObjectSpace<N extends SegmentName = SegmentName> {
  /** The call that looks a name up, for errors. */
  readonly openCall: string;
  /** @returns undefined when the name is taken. */
  create(name: N, options: ObjectOptions): SharedObject | undefined;
  /** Opens an object that has a size, and joins its users. @returns undefined without one. */
  open(name: N, access: Access): SharedObject | undefined;
  /** As `open`; an abandoned empty one gets its size here. */
  adopt(name: N, options: ObjectOptions): FoundObject | undefined;
  /** Opens an object that nobody uses, and makes it again: zero-filled, of the size given. */
  truncate(name: N, options: ObjectOptions): FoundObject | undefined;
  /** Removes a name. @returns Whether there was one. */
  unlink(name: N): boolean;
  exists(name: N): boolean;
  /** Whether a live process has it open, as the kernel knows. */
  hasUsers(name: N): boolean;
}

export function statDescriptor(descriptor: number): ObjectStat {
  const stat = fstatSync(descriptor, { bigint: true });
  return {
    size: Number(stat.size),
    mode: Number(stat.mode) & 0o7777,
    inode: stat.ino,
    device: stat.dev,
    isFile: stat.isFile(),
  };
}

export function sameObject(a: ObjectStat, b: ObjectStat): boolean {
  return a.inode === b.inode && a.device === b.device;
}
