/** The one owner of a file descriptor. */
import { readdirSync } from "node:fs";
import { ClosedError } from "../errors.ts";
import { E } from "../libc/errno.ts";
import { adoptDescriptor } from "../libc/adopt.ts";
import { open, releaseLocks } from "../libc/fcntl.ts";
import { C } from "../libc/platform.ts";
import { processLimit } from "./processes.ts";

const LOOK = C.O_RDONLY | C.PROC_O_APPEND;

/**
 * The flags of a descriptor by which an object is only looked at. It cannot write, and would
 * append: nobody who uses an object joins these two, so that /proc tells a look from a use.
 */
export const LOOK_FLAGS: number = LOOK | C.O_CLOEXEC | C.SHM_OPEN_NONBLOCK;

/** Whether the flags of a descriptor, as /proc/PID/fdinfo shows them, are those of a look. */
export function isLook(flags: number): boolean {
  return (flags & (C.O_ACCMODE | C.PROC_O_APPEND)) === LOOK;
}

/** A descriptor that ends with an object, and where that object is looked for. */
interface Served {
  readonly descriptor: Descriptor;
  readonly object: WeakRef<object>;
}

// A descriptor does not refer to the object that it serves, so this keeps none of them alive.
const served: Set<Served> = new Set();

function end(each: Served): void {
  // The descriptor may serve another object by now.
  if (served.has(each)) each.descriptor.close();
}

const forgotten: FinalizationRegistry<Served> = new FinalizationRegistry(end);

/** Closes the descriptors of forgotten objects. */
function reclaim(): void {
  Bun.gc(true);
  // The engine would run the finalizers only after this turn of the event loop.
  for (const each of served) if (each.object.deref() === undefined) end(each);
}

/** @returns How many more descriptors this process may have; Infinity where nobody says. */
function freeDescriptors(): number {
  try {
    const limit = processLimit("Max open files") ?? Number.POSITIVE_INFINITY;
    // One of them lists the others.
    return limit - (readdirSync("/proc/self/fd").length - 1);
  } catch (error) {
    return (error as { code?: string }).code === "EMFILE" ? 0 : Number.POSITIVE_INFINITY;
  }
}

/**
 * Whether this process may have so many more descriptors, once those that nobody needs are closed.
 * It does not try: others may need them at this moment.
 */
export function hasDescriptors(count: number): boolean {
  if (freeDescriptors() >= count) return true;
  reclaim();
  return freeDescriptors() >= count;
}

/**
 * Makes a call that opens a descriptor. When all are in use, it collects garbage, closes those of
 * forgotten objects, and makes the call once more.
 *
 * @param open Returns a descriptor, or a negated errno.
 */
export function withDescriptors(open: () => number): number {
  const opened = open();
  if (opened !== -E.EMFILE) return opened;
  reclaim();
  return open();
}

/**
 * A file descriptor that is closed once: by `close()`, when the object it serves is collected, or
 * when this thread ends.
 */
export class Descriptor {
  readonly #what: string;
  readonly #owner: ArrayBuffer;
  #number: number;
  #isShared = false;
  #served: Served | undefined;
  #atClose: (() => void) | undefined;

  constructor(what: string, number: number) {
    this.#what = what;
    this.#number = number;
    this.#owner = adoptDescriptor(number);
  }

  /** The number, for libc. @throws ClosedError after `close()`. */
  get number(): number {
    if (this.#number < 0) throw new ClosedError(this.#what);
    return this.#number;
  }

  /**
   * The number, for whoever may pass the open file description on, as to a child: its locks then
   * last until the last descriptor of it is closed. @throws ClosedError.
   */
  share(): number {
    this.#isShared = true;
    return this.number;
  }

  /** Whether its open file description may have been passed on. */
  get isShared(): boolean {
    return this.#isShared;
  }

  get closed(): boolean {
    return this.#number < 0;
  }

  /**
   * Opens the same object again in the same way, whatever has become of its name, with an open file
   * description of its own. @returns The new one; undefined where the mode forbids that.
   */
  openAgain(): Descriptor | undefined {
    const path = `/proc/self/fd/${this.number}`;
    const again = (mode: number): number => withDescriptors(() => open(path, mode | C.O_CLOEXEC));
    const writable = again(C.O_RDWR);
    const opened = writable === -E.EACCES ? again(C.O_RDONLY) : writable;
    return opened < 0 ? undefined : new Descriptor(this.#what, opened);
  }

  /** Sets what is called once it is closed. */
  atClose(call: () => void): void {
    this.#atClose = call;
  }

  /** Closes the descriptor when an object is collected; a later call names another object. */
  serve(object: object): void {
    this.#release();
    this.#served = { descriptor: this, object: new WeakRef(object) };
    served.add(this.#served);
    forgotten.register(object, this.#served, this);
  }

  #release(): void {
    if (this.#served === undefined) return;
    forgotten.unregister(this);
    served.delete(this.#served);
    this.#served = undefined;
  }

  close(): void {
    if (this.#number < 0) return;
    this.#release();
    // Whoever looks at it in /proc just now keeps the description, and its locks, for that instant.
    if (!this.#isShared) releaseLocks(this.#number);
    this.#owner.transfer(0);
    this.#number = -1;
    this.#atClose?.();
  }
}
