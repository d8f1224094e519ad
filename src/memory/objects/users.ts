/** The users of an object: shared locks on one byte, and whoever has it alone. */
import { LayoutError, StateError } from "../../errors.ts";
import { USERS_BYTE } from "../../layout/lock-bytes.ts";
import { E } from "../../libc/errno.ts";
import { isByteLocked, lockByte, shareByte } from "../../libc/fcntl.ts";
import { type MakerDeadlines, deadlinesFor, waitForMaker } from "../../waiting/patience.ts";
import { failLock } from "../byte-lock.ts";
import type { ObjectStat } from "./shared-object.ts";

/**
 * Repeats a call until its answer is not -EAGAIN, which says that a live process holds a lock.
 * @throws StateError EBUSY when that lasts too long; SystemError for any other failure.
 */
export function whenFree(
  action: string,
  text: string,
  attempt: () => number,
  until: MakerDeadlines,
): void {
  const look = (): number | undefined => {
    const answer = attempt();
    return answer === -E.EAGAIN ? undefined : answer;
  };
  const result = waitForMaker(look, () => true, until);
  if (result === undefined) {
    throw new StateError("EBUSY", `${action}: another process is making or removing it`);
  }
  if (result < 0) failLock(action, result, text);
}

/** Joins the object's users by a shared lock, which the kernel releases with the descriptor. */
export function joinUsers(
  action: string,
  text: string,
  descriptor: number,
  until: MakerDeadlines = deadlinesFor(),
): void {
  whenFree(action, text, () => shareByte(descriptor, USERS_BYTE), until);
}

/** Waits for the exclusive lock, under which an object gets its size. */
export function lockAlone(
  action: string,
  text: string,
  descriptor: number,
  until: MakerDeadlines,
): void {
  whenFree(action, text, () => lockByte(descriptor, USERS_BYTE), until);
}

/** @throws LayoutError for what cannot be mapped: a FIFO, a socket, a device, a directory. */
export function checkIsMemory(action: string, { isFile }: ObjectStat): void {
  if (isFile) return;
  throw new LayoutError(`${action}: it is not a shared memory object`, {
    expected: "bytes that can be mapped",
    found: "a FIFO, a socket, a device or a directory",
    offset: 0,
  });
}

/** Whether a live process has the object open as a segment. It takes nothing: nobody notices. */
export function isUsed(action: string, text: string, descriptor: number): boolean {
  const locked = isByteLocked(descriptor, USERS_BYTE);
  if (locked < 0) failLock(action, locked, text);
  return locked === 1;
}
