/**
 * Who takes part in the locks of an object, and which participants live.
 *
 * A participant is a thread with one handle of the object. It has a random number, which is what a
 * lock's word holds, and an exclusive lock of the kernel around the byte of that number
 * (`layout/lock-bytes.ts`). The kernel releases that lock when the process ends, in whatever way,
 * or the handle is closed. A thread that ends alone, as a Worker that is terminated does, leaves
 * its descriptors to its process: so the range of the lock also names the thread, and whoever is in
 * the same PID namespace asks the kernel for that. From other namespaces such a participant looks
 * alive until its process ends.
 *
 * Nothing is stored in the object, so hostile bytes cannot make the living dead, and a copy of the
 * object, or the same file after a restart of the machine, has no participants at all.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { StateError, UnsupportedError } from "../errors.ts";
import { PARTICIPANT_NUMBERS, participantByte } from "../layout/lock-bytes.ts";
import { E, fail } from "../libc/errno.ts";
import { type LockRange, findLockRange, lockRange } from "../libc/fcntl.ts";
import { isNoThread, threadId } from "../libc/thread.ts";
import { namespaceOffsetMs } from "../memory/boot.ts";
import type { Descriptor } from "../memory/descriptor.ts";

/** Who a participant is, as others of its PID namespace know it; all 0 where nobody can tell. */
interface Identity {
  readonly namespace: number;
  readonly thread: number;
  /** When the thread started, in ticks of 10 ms since the machine's start, mod 1024. */
  readonly start: number;
}

const UNKNOWN: Identity = { namespace: 0, thread: 0, start: 0 };
const START_SHIFT = 22n;
const STARTS = 1024;
const MS_PER_TICK = 10;
/** The number of the field of /proc/PID/stat that says when a thread started. */
const START_FIELD = 22;

/** How many numbers are tried before somebody is said to hold them all. */
const TRIES = 16;

/** When a thread started, mod 1024 ticks; undefined where nobody says. */
function startOf(thread: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${thread}/stat`, "latin1");
    // The first field after the name, which may contain anything, is the third one.
    const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[START_FIELD - 3]);
    const start = ticks - Math.round(namespaceOffsetMs() / MS_PER_TICK);
    return Number.isNaN(start) ? undefined : ((start % STARTS) + STARTS) % STARTS;
  } catch {
    return undefined;
  }
}

function findSelf(): Identity {
  const thread = threadId();
  const start = startOf(thread);
  if (start === undefined) return UNKNOWN;
  try {
    const link = readlinkSync("/proc/self/ns/pid");
    const namespace = Number(/^pid:\[(\d+)\]$/.exec(link)?.[1] ?? 0);
    return namespace > 0 && namespace < 2 ** 32 ? { namespace, thread, start } : UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

let self: Identity | undefined;

function rangeOf(number: number, { namespace, thread, start }: Identity): LockRange {
  const before = BigInt(namespace);
  const behind = 1n + BigInt(thread) + (BigInt(start) << START_SHIFT);
  return { start: participantByte(number) - before, length: before + behind };
}

function identityIn(number: number, { start, length }: LockRange): Identity {
  const before = participantByte(number) - start;
  const behind = length - before - 1n;
  return {
    namespace: Number(before),
    thread: Number(behind & ((1n << START_SHIFT) - 1n)),
    start: Number(behind >> START_SHIFT) % STARTS,
  };
}

/** Whether a thread is known to have ended. */
function hasEnded({ namespace, thread, start }: Identity): boolean {
  self ??= findSelf();
  if (namespace === 0 || namespace !== self.namespace || thread === 0) return false;
  if (isNoThread(thread)) return true;
  const found = startOf(thread);
  // The id may belong to another thread by now. Offsets of time namespaces are not whole ticks.
  const apart = found === undefined ? 0 : Math.abs(found - start);
  return Math.min(apart, STARTS - apart) > 1;
}

/**
 * Whether the participant of a number lives; it may take some microseconds.
 *
 * @param descriptor Of the object; a participant of its own open file description is not seen.
 * @returns Or a negated errno.
 */
export function isParticipantAlive(descriptor: number, number: number): boolean | number {
  const found = findLockRange(descriptor, participantByte(number));
  if (found === undefined) return false;
  return typeof found === "number" ? found : !hasEnded(identityIn(number, found));
}

/** The numbers that this thread has, in all objects. */
const own: Set<number> = new Set();

/** One participant of an object. It ends when its descriptor is closed. */
export class Participant {
  readonly number: number;
  readonly #what: string;
  readonly #descriptor: Descriptor;

  private constructor(what: string, descriptor: Descriptor, number: number) {
    this.#what = what;
    this.#descriptor = descriptor;
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
    self ??= findSelf();
    const action = `Cannot take part in the locks of ${what}`;
    for (let tries = 0; tries < TRIES; tries++) {
      const [random] = crypto.getRandomValues(new Uint32Array(1));
      const number = random! % PARTICIPANT_NUMBERS;
      // A number of this thread would be taken for its own by its other handles.
      if (number === 0 || own.has(number)) continue;
      const result = lockRange(descriptor.number, rangeOf(number, self));
      if (result === 0) {
        own.add(number);
        descriptor.atClose(() => own.delete(number));
        return new Participant(what, descriptor, number);
      }
      if (result === -E.EINVAL || result === -E.ENOSYS) {
        const why = "this system has no locks of open file descriptions (F_OFD_SETLK)";
        throw new UnsupportedError(`${action}: ${why}`);
      }
      if (result !== -E.EAGAIN) fail(action, result, "fcntl");
    }
    const why = "somebody holds locks on the bytes of all participants";
    throw new StateError("EBUSY", `${action}: ${why}`);
  }

  /** Whether the participant of a number lives. @throws SystemError; ClosedError. */
  isAlive(number: number): boolean {
    if (own.has(number)) return true;
    const isAlive = isParticipantAlive(this.#descriptor.number, number);
    if (typeof isAlive === "boolean") return isAlive;
    return fail(`Cannot look at the participants of ${this.#what}`, isAlive, "fcntl");
  }

  /** Whether this thread has a number, through this handle or another. */
  isOwn(number: number): boolean {
    return own.has(number);
  }
}
