/** The one owner of a file descriptor. */
import { ClosedError } from "../errors.ts";
import { close } from "../libc/fcntl.ts";
import { C } from "../libc/platform.ts";

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

const forgotten: FinalizationRegistry<number> = new FinalizationRegistry(close);

/**
 * A file descriptor that is closed once: by `close()`, or when the object it serves is collected.
 */
export class Descriptor {
  readonly #what: string;
  #number: number;

  constructor(what: string, number: number) {
    this.#what = what;
    this.#number = number;
  }

  /** The number, for libc. @throws ClosedError after `close()`. */
  get number(): number {
    if (this.#number < 0) throw new ClosedError(this.#what);
    return this.#number;
  }

  get closed(): boolean {
    return this.#number < 0;
  }

  /** Closes the descriptor when an object is collected; a later call names another object. */
  serve(object: object): void {
    forgotten.unregister(this);
    forgotten.register(object, this.number, this);
  }

  close(): void {
    if (this.#number < 0) return;
    forgotten.unregister(this);
    close(this.#number);
    this.#number = -1;
  }
}
