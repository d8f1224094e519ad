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

/** Ties a hold to its handle's life: it goes when the handle is collected, unless it is held. */
export function registerHold(handle: object, hold: Hold, holds: Set<Hold>, memory: object): void {
  holds.add(hold);
  handles.register(handle, { hold, holds, memory });
}
