/**
 * Fences in other threads: `int membarrier(int cmd, unsigned int flags, int cpu_id)`. Linux 4.16;
 * some sandboxes refuse it. https://man7.org/linux/man-pages/man2/membarrier.2.html
 */
import type { Pointer } from "bun:ffi";
import { PLATFORM } from "./platform.ts";
import { libc } from "./symbols.ts";

// linux/membarrier.h
const GLOBAL_EXPEDITED = 2;
const REGISTER_GLOBAL_EXPEDITED = 4;

function membarrier(command: number): boolean {
  const call = PLATFORM?.membarrierCall;
  if (call === undefined) return false;
  return Number(libc.syscall(call, command as Pointer, 0, 0, null, null, 0)) === 0;
}

/** Lets whoever calls `fenceOthers` fence this process's threads. @returns Whether they can. */
export function acceptFences(): boolean {
  return membarrier(REGISTER_GLOBAL_EXPEDITED);
}

/**
 * Makes each thread that runs, of each process that accepts that, take a full fence between two of
 * its instructions before this returns. @returns Whether it did.
 */
export function fenceOthers(): boolean {
  return membarrier(GLOBAL_EXPEDITED);
}
