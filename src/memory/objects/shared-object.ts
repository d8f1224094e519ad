/** The one interface to every kind of shared memory that a system has, below a segment. */
import { type BigIntStats, fstatSync, lstatSync } from "node:fs";
import { E } from "../../libc/errno.ts";
import { pathBytes } from "../../libc/path-bytes.ts";
import type { MakerDeadlines } from "../../waiting/patience.ts";
import type { Descriptor } from "../descriptor.ts";
import type { MappedPart, Mapping } from "../mapping.ts";
import type { OwnerOptions } from "./owner.ts";
import type { SegmentName } from "./segment-name.ts";

/** The kind of memory. */
export type Backing = "posix" | "sysv" | "memfd" | "file";

export type Access = "readwrite" | "read";

/** How an object is made, or one that exists is found. */
export interface ObjectOptions extends OwnerOptions {
  readonly size: number;
  readonly mode?: number | undefined;
  readonly reserve?: boolean | undefined;
  readonly sealed?: boolean | undefined;
  readonly hugePages?: boolean | undefined;
  /** A word that a new object has from the moment that others can see its size. */
  readonly mark?: ObjectMark | undefined;
}

/** A word, and where it lies in bytes. */
export interface ObjectMark {
  readonly offset: number;
  readonly word: number;
}

/** What a caller says about opening an object. */
export interface OpenOptions extends OwnerOptions {
  /** Whether it can also ask for reading only. */
  readonly readable?: boolean;
  /** How long it waits for the object's maker. */
  readonly until?: MakerDeadlines;
}

/** What the kernel says about an object. */
export interface ObjectStat {
  readonly size: number;
  readonly mode: number;
  /** Whose it is: a user's number. */
  readonly uid: number;
  readonly inode: bigint;
  readonly device: bigint;
  readonly isFile: boolean;
  /** Bytes in which the file system gives room: a huge page where it has those. */
  readonly blockSize: number;
}

/** An object that this process has open. */
export interface SharedObject {
  readonly backing: Backing;
  /** Its name; `sysv:private` has become `sysv:#ID`. */
  readonly name: string;
  /** The open descriptor; a System V segment has none. */
  readonly descriptor: Descriptor | undefined;
  /** A descriptor for a child, which this object closes; undefined without one. */
  handOut(): number | undefined;
  /**
   * A descriptor by which the object stays in use beyond this one; undefined of what needs none.
   * @throws SystemError.
   */
  keep(): Descriptor | undefined;
  stat(): ObjectStat;
  /** Whether the kernel keeps everybody from shrinking it. */
  isSealed(): boolean;
  /** @returns The mapping, or the negated errno of the call `mapCall`. */
  map(part: MappedPart): Mapping | number;
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
  /** Whether the name no longer stands for this object; false for a nameless one. */
  isGone(): boolean;
  /** What is used up, when it could not get its size. @param result The negated errno. */
  roomHint(result: number, size: number): string | undefined;
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
  open(name: N, access: Access, options?: OpenOptions): SharedObject | undefined;
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
  return statOf(fstatSync(descriptor, { bigint: true }));
}

/** Looks at a path, and at a symbolic link itself. @returns Or a negated errno. */
export function statPath(path: string): ObjectStat | number {
  try {
    return statOf(lstatSync(pathBytes(path), { bigint: true }));
  } catch (error) {
    const { code } = error as { code?: keyof typeof E };
    return code === undefined ? -E.EIO : -E[code];
  }
}

function statOf(stat: BigIntStats): ObjectStat {
  return {
    size: Number(stat.size),
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    inode: stat.ino,
    device: stat.dev,
    isFile: stat.isFile(),
    blockSize: Number(stat.blksize),
  };
}

export function sameObject(a: ObjectStat, b: ObjectStat): boolean {
  return a.inode === b.inode && a.device === b.device;
}
