/**
 * What this thread holds in shared memory: mutexes, above all.
 *
 * libc and the kernel keep the address of a held mutex in a list of the thread. Unmapping it would
 * lose the mutex to everyone, and crash this process at its next lock. While something is held, its
 * segment refuses to be closed and its mapping is not collected.
 *
 * To take and to release is one store in the hot path: a Set would cost more than the lock itself.
 */

/** Something that can be held; `what` is for messages, as in `the mutex at 64`. */
export interface Hold {
  /** Set by whoever takes and releases it. */
  held: boolean;
  readonly what: string;
}

interface Registration {
  readonly hold: Hold;
  readonly holds: Set<Hold>;
  /** Strong, so that the memory is still there when the handle is found to be forgotten. */
  readonly memory: object;
}

// Registrations of handles that were forgotten while held: their memory stays for good.
const lost: Set<Registration> = new Set();

const handles: FinalizationRegistry<Registration> = new FinalizationRegistry((registration) => {
  if (registration.hold.held) lost.add(registration);
  else registration.holds.delete(registration.hold);
});

/** The holds in one segment. */
export class Holds {
  readonly #holds = new Set<Hold>();

  /** Holds at once. @returns The end of it. */
  add(what: string): () => void {
    const hold = { held: true, what };
    this.#holds.add(hold);
    return () => this.#holds.delete(hold);
  }

  /**
   * A hold, not held yet, for a handle that takes and releases often. It goes when the handle is
   * collected, unless it is held: then the memory stays.
   */
  register(handle: object, what: string, memory: object): Hold {
    const hold = { held: false, what };
    this.#holds.add(hold);
    handles.register(handle, { hold, holds: this.#holds, memory });
    return hold;
  }

  /** Something that is held, if anything is. */
  find(): string | undefined {
    for (const { held, what } of this.#holds) if (held) return what;
    return undefined;
  }
}
