/** The one interface to every kind of shared memory that a system has, below a segment. */
import { fstatSync } from "node:fs";
import type { Descriptor } from "../descriptor.ts";
import type { Mapping } from "../mapping.ts";
import type { SegmentName } from "./segment-name.ts";

/** The kind of memory. */
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

/** What the kernel says about an object. */
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
  /** Its name; `sysv:private` has become `sysv:#ID`. */
  readonly name: string;
  /** The open descriptor; a System V segment has none. */
  readonly descriptor: Descriptor | undefined;
  stat(): ObjectStat;
  /** Whether the kernel keeps everybody from shrinking it. */
  isSealed(): boolean;
  /** @returns The mapping, or the negated errno of the call `mapCall`. */
  map(window: ObjectWindow): Mapping | number;
  readonly mapCall: string;
  /** @throws UnsupportedError when the object can never be resized. */
  checkResizable(action: string): void;
  /** @returns 0, or a negated errno. */
  setSize(size: number, reserve: boolean): number;
  /**
   * The file that carries the byte locks of this object. Without `create` it may be undefined, and
   * then nobody holds such a lock.
   */
  lockTarget(create: boolean): Descriptor | undefined;
  /** Removes the name if it still belongs to this object. @returns Whether this call did. */
  unlink(): boolean;
  /** Closes the object when its mapped buffer is collected. */
  serve(buffer: ArrayBuffer): void;
  close(): void;
}

/** An object that existed already, and whether this call gave it its size. */
export interface FoundObject {
  readonly object: SharedObject;
  readonly sized: boolean;
}

/**
 * The objects of one kind, by name. `N` is the form of their names; `spaceOf` chooses the space, so
 * that each one gets only names of its own form.
 */
export interface ObjectSpace<N extends SegmentName = SegmentName> {
  /** The call that looks a name up, for errors. */
  readonly openCall: string;
  /** Makes an object. @returns The object; undefined when the name is taken. */
  create(name: N, options: ObjectOptions): SharedObject | undefined;
  /** Opens an object that has a size, and joins its users. @returns It; undefined without one. */
  open(name: N, access: Access): SharedObject | undefined;
  /** Opens an object like `open`, and gives its size to one that its creator left empty. */
  adopt(name: N, options: ObjectOptions): FoundObject | undefined;
  /** Opens an object that nobody uses, discards its bytes, and gives it a size. */
  truncate(name: N, options: ObjectOptions): FoundObject | undefined;
  /** Removes a name. @returns Whether it existed. */
  unlink(name: N): boolean;
  exists(name: N): boolean;
  /** Whether a live process has the object open, as the kernel knows. */
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
