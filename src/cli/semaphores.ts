/** Opens and removes semaphores by name, both POSIX and System V ones. */
import { Semaphore, SystemVSemaphore } from "../index.ts";
import { backingOf } from "../inspection/inspect.ts";
import { EXIT, Failure, codeOf } from "./failure.ts";
import { ANYBODYS } from "./options.ts";

/** What the commands do with a semaphore. */
export interface AnySemaphore extends Disposable {
  readonly value: number;
  post(count?: number): void;
  wait(options?: { timeoutMs?: number }): boolean;
}

const isSystemV = (name: string): boolean => backingOf(name) === "sysv";

/** Opens a semaphore. The kernel must not undo changes of a System V one when this process ends. */
export function openSemaphore(name: string): AnySemaphore {
  try {
    if (isSystemV(name)) return SystemVSemaphore.open(name, { undo: false, ...ANYBODYS });
    return Semaphore.open(name, ANYBODYS);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    const hint = "`bun-shm sem ls` lists what there is";
    throw new Failure(EXIT.missing, `There is no semaphore "${name}" (ENOENT). ${hint}`);
  }
}

/** Removes a semaphore. @returns Whether there was one. */
export function removeSemaphore(name: string): boolean {
  return isSystemV(name) ? SystemVSemaphore.unlink(name) : Semaphore.unlink(name);
}
