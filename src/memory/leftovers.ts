/**
 * What Workers of this process left open that were terminated. Their threads have ended, but their
 * descriptors belong to the process, and with them the kernel's locks: an object stays in use, and
 * a lock byte taken, by nobody.
 *
 * A Worker labels its descriptors by the range of a participant, which names its thread. Any other
 * thread of the process finds them in /proc, and closes them. So that none closes a descriptor that
 * has come to belong to somebody else meanwhile, only one thread at a time does that for an object
 * (`SWEEPER_BYTE`), and looks once more before it closes.
 */
import { readFileSync, readdirSync } from "node:fs";
import { close, lockByte, open } from "../libc/fcntl.ts";
import { C } from "../libc/platform.ts";
import { hasEnded, identityIn, participantAt } from "./participant-identity.ts";

/** The lock byte of whoever closes what others left. */
export const SWEEPER_BYTE: number = 2 ** 40 + 3;

const LOCK = /^lock:\s*\d+: OFDLCK\s+\S+\s+WRITE\s+\S+\s+\S+\s+(\d+)\s+(\d+)$/gm;

/** Whether a descriptor of this process belongs to a thread of it that has ended. */
function isLeft(descriptor: string): boolean {
  let text: string;
  try {
    text = readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1");
  } catch {
    return false;
  }
  for (const [, first, last] of text.matchAll(LOCK)) {
    const start = BigInt(first!);
    const number = participantAt(start);
    if (number === undefined) continue;
    return hasEnded(identityIn(number, { start, length: BigInt(last!) - start + 1n }));
  }
  return false;
}

function closeLeft(descriptor: string): boolean {
  const own = open(`/proc/self/fd/${descriptor}`, C.O_RDWR | C.O_CLOEXEC);
  if (own < 0) return false;
  try {
    if (lockByte(own, SWEEPER_BYTE) !== 0 || !isLeft(descriptor)) return false;
    close(Number(descriptor));
    return true;
  } finally {
    close(own);
  }
}

/** How often, in ms, it is looked for what is left: that takes some 10 µs for each descriptor. */
const LOOK_MS = 100;
let lookedMs = Number.NEGATIVE_INFINITY;

/**
 * Makes a call that terminated Workers of this process may stand in the way of; once more, if they
 * had left anything.
 *
 * @param isHindered Whether an answer may be their fault.
 */
export function withoutLeftovers<T>(call: () => T, isHindered: (answer: T) => boolean): T {
  const answer = call();
  if (!isHindered(answer)) return answer;
  const now = performance.now();
  if (now - lookedMs < LOOK_MS) return answer;
  lookedMs = now;
  return closeLeftovers() ? call() : answer;
}

/** Closes all that terminated Workers of this process left. @returns Whether there was anything. */
export function closeLeftovers(): boolean {
  let descriptors: string[];
  try {
    descriptors = readdirSync("/proc/self/fdinfo");
  } catch {
    return false;
  }
  let count = 0;
  for (const descriptor of descriptors) {
    if (isLeft(descriptor) && closeLeft(descriptor)) count++;
  }
  return count > 0;
}
