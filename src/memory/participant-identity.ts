/**
 * Who a participant of an object's locks is: a range of lock bytes says it, which the kernel keeps
 * (layout/lock-bytes.ts).
 */
import { readFileSync, readlinkSync } from "node:fs";
import { type LockRange, findLockRange } from "../libc/fcntl.ts";
import { isNoThread, threadId } from "../libc/thread.ts";
import { namespaceOffsetMs } from "./boot.ts";

/** Participants' numbers are below this, and above 0. */
export const PARTICIPANT_NUMBERS: number = 2 ** 29 - 1;

export const FIRST_PARTICIPANT_BYTE: bigint = 2n ** 62n + 2n ** 32n;
export const PARTICIPANT_SPACING: bigint = 2n ** 33n;
/** Where the start lies in the number that ends a participant's range, above the thread's id. */
export const PARTICIPANT_START_SHIFT = 22;
/** Starts are kept modulo this. */
export const PARTICIPANT_STARTS = 1024;

/** The byte of a participant, around which its range lies. */
export function participantByte(number: number): bigint {
  return FIRST_PARTICIPANT_BYTE + BigInt(number) * PARTICIPANT_SPACING;
}

/** Who a participant is, as others of its PID namespace know it; all 0 where nobody can tell. */
export interface Identity {
  readonly namespace: number;
  readonly thread: number;
  /** When the thread started, in ticks of 10 ms since the machine's start, mod 1024. */
  readonly start: number;
}

const UNKNOWN: Identity = { namespace: 0, thread: 0, start: 0 };
const START_SHIFT = BigInt(PARTICIPANT_START_SHIFT);
const STARTS = PARTICIPANT_STARTS;
const MS_PER_TICK = 10;
/** The number of the field of /proc/PID/stat that says when a thread started. */
const START_FIELD = 22;

const ENDED = -1;

/** When a thread started, mod 1024 ticks, or ENDED; undefined where nobody says. */
function startOf(thread: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${thread}/task/${thread}/stat`, "latin1");
    // The first field after the name, which may contain anything, is the third one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A process's first thread stays as a zombie until the others have ended.
    if (fields[0] === "Z" || fields[0] === "X") return ENDED;
    const ticks = Number(fields[START_FIELD - 3]);
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
    // The ids of this process, from the namespace of /proc down to its own.
    if (/^NSpid:\t\d+\t/m.test(readFileSync("/proc/self/status", "latin1"))) return UNKNOWN;
    const link = readlinkSync("/proc/self/ns/pid");
    const namespace = Number(/^pid:\[(\d+)\]$/.exec(link)?.[1] ?? 0);
    return namespace > 0 && namespace < 2 ** 32 ? { namespace, thread, start } : UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

let self: Identity | undefined;

/** The range of lock bytes that makes this thread a participant of that number. */
export function ownRange(number: number): LockRange {
  self ??= findSelf();
  const { namespace, thread, start } = self;
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
  if (found === ENDED) return true;
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
  // Words in memory may hold anything, and nobody can have such a number.
  if (number >= PARTICIPANT_NUMBERS) return false;
  const found = findLockRange(descriptor, participantByte(number));
  if (found === undefined) return false;
  return typeof found === "number" ? found : !hasEnded(identityIn(number, found));
}
