/**
 * Who takes part in the locks of an object, and which participants live.
 *
 * A participant is a thread with one handle of the object. It has a random number, which is what a
 * lock's word holds, and an exclusive lock of the kernel around the byte of that number
 * (`layout/lock-bytes.ts`). The kernel releases that lock when the process ends, in whatever way,
 * the Worker is terminated (libc/adopt.ts), or the handle is closed. The thread of a C program that
 * ends alone leaves its descriptors to its process: so the range of the lock also names the thread,
 * and whoever is in the same PID namespace asks the kernel for that. From other namespaces such a
 * participant looks alive until its process ends.
 *
 * Nothing is stored in the object, so hostile bytes cannot make the living dead, and a copy of the
 * object, or the same file after a restart of the machine, has no participants at all.
 */
import { StateError } from "../errors.ts";
import { E } from "../libc/errno.ts";
import { lockRange } from "../libc/fcntl.ts";
import { failLock } from "../memory/byte-lock.ts";
import type { Descriptor } from "../memory/descriptor.ts";
import { statDescriptor } from "../memory/objects/shared-object.ts";
import {
  PARTICIPANT_NUMBERS,
  isParticipantAlive,
  ownRange,
} from "../memory/participant-identity.ts";

/** How many numbers are tried before somebody is said to hold them all. */
const TRIES = 16;

/** The numbers that this thread has, and in which object: a copy of that holds the same words. */
const own: Map<number, string> = new Map();

function objectOf(descriptor: number): string {
  const { device, inode } = statDescriptor(descriptor);
  return `${device}:${inode}`;
}

/** One participant of an object. It ends when its descriptor is closed. */
export class Participant {
  readonly number: number;
  readonly #what: string;
  readonly #descriptor: Descriptor;
  readonly #object: string;

  private constructor(what: string, descriptor: Descriptor, object: string, number: number) {
    this.#what = what;
    this.#descriptor = descriptor;
    this.#object = object;
    this.number = number;
  }

  /**
   * Makes this thread a participant. Does not block.
   *
   * @param what Names the object in messages.
   * @param descriptor Of the object, open for writing; nobody else has its open file description.
   * @throws UnsupportedError where the system has no such locks; SystemError; StateError EBUSY when
   *   somebody who may read the object holds shared locks on every number.
   */
  static join(what: string, descriptor: Descriptor): Participant {
    const action = `Cannot take part in the locks of ${what}`;
    const object = objectOf(descriptor.number);
    for (let tries = 0; tries < TRIES; tries++) {
      const [random] = crypto.getRandomValues(new Uint32Array(1));
      const number = random! % PARTICIPANT_NUMBERS;
      // A number of this thread would be taken for its own by its other handles.
      if (number === 0 || own.has(number)) continue;
      const result = lockRange(descriptor.number, ownRange(number));
      if (result === 0) {
        own.set(number, object);
        descriptor.atClose(() => own.delete(number));
        return new Participant(what, descriptor, object, number);
      }
      if (result !== -E.EAGAIN) failLock(action, result);
    }
    const why = "somebody who may read it holds locks on the bytes of all participants";
    throw new StateError(
      "EBUSY",
      `${action}: ${why}. \`bun-shm doctor\` names what others may read`,
    );
  }

  /** Whether the participant of a number lives. @throws SystemError; ClosedError. */
  isAlive(number: number): boolean {
    return this.isOwn(number) || Participant.#asks(this.#what, this.#descriptor, number);
  }

  /**
   * Whether the participant of a number lives, for who may take no part.
   *
   * @param descriptor Of the object; undefined while nobody can take part.
   * @throws SystemError; ClosedError.
   */
  static lives(what: string, descriptor: Descriptor | undefined, number: number): boolean {
    if (descriptor === undefined || !Number.isSafeInteger(number)) return false;
    // The kernel does not show a lock to its own holder.
    return own.get(number) === objectOf(descriptor.number) || this.#asks(what, descriptor, number);
  }

  static #asks(what: string, descriptor: Descriptor, number: number): boolean {
    const isAlive = isParticipantAlive(descriptor.number, number);
    if (typeof isAlive === "boolean") return isAlive;
    return failLock(`Cannot look at the participants of ${what}`, isAlive);
  }

  /** Whether this thread has a number, through this handle or another. */
  isOwn(number: number): boolean {
    return own.get(number) === this.#object;
  }
}
