/**
 * What this thread holds in shared memory, which is mostly mutexes.
 *
 * libc and the kernel keep the addresses of a thread's held mutexes in a list. If a held mutex were
 * unmapped, nobody could ever lock it, and this process would crash at its next lock. So while
 * something is held, its segment cannot be closed and its mapping is not collected.
 *
 * Taking and releasing sets a flag, because a change to a Set would cost more than the lock itself.
 */

/** Something that can be held; `what` is for messages, as in `the mutex at 64`. */
export interface Hold {
  /** Set by the handle that takes it, and cleared when that releases it. */
  held: boolean;
  readonly what: string;
}

interface Registration {
  readonly hold: Hold;
  readonly holds: Set<Hold>;
  /** A strong reference: the memory must outlive the handle until this registration is handled. */
  readonly memory: object;
}

// Registrations of handles that were forgotten while they held something: their memory stays.
const lost: Set<Registration> = new Set();

const handles: FinalizationRegistry<Registration> = new FinalizationRegistry((registration) => {
  if (registration.hold.held) lost.add(registration);
  else registration.holds.delete(registration.hold);
});

/** The holds in one segment. */
export class Holds {
  readonly #holds = new Set<Hold>();

  /** Adds something that is held from now on. @returns The function that releases it. */
  add(what: string): () => void {
    const hold = { held: true, what };
    this.#holds.add(hold);
    return () => this.#holds.delete(hold);
  }

  /**
   * Adds a hold that is not held yet, for a handle that takes and releases it often. It is removed
   * when the handle is collected; if it is held then, the memory stays mapped.
   */
  register(handle: object, what: string, memory: object): Hold {
    const hold = { held: false, what };
    this.#holds.add(hold);
    handles.register(handle, { hold, holds: this.#holds, memory });
    return hold;
  }

  /** Something that is held; undefined when nothing is. */
  find(): string | undefined {
    for (const { held, what } of this.#holds) if (held) return what;
    return undefined;
  }
}
