/** Semaphores by name, of POSIX and of System V, whoever made them. */
import { Semaphore } from "../semaphore/semaphore.ts";
import { SystemVSemaphore } from "../semaphore/system-v-semaphore.ts";

/** What the commands do with a semaphore. */
export interface AnySemaphore extends Disposable {
  readonly value: number;
  post(count?: number): void;
  tryWait(): boolean;
  wait(options?: { timeoutMs?: number }): boolean;
}

/** Opens a semaphore. A System V one is not undone when this process ends: that is the point. */
export function openSemaphore(name: string): AnySemaphore {
  return name.startsWith("sysv:")
    ? SystemVSemaphore.open(name, { undo: false })
    : Semaphore.open(name);
}

export function removeSemaphore(name: string): boolean {
  return name.startsWith("sysv:") ? SystemVSemaphore.unlink(name) : Semaphore.unlink(name);
}
