/** Makes the calls of libc fail, one at a time. */
import { type Pointer, toArrayBuffer } from "bun:ffi";
import { E, ERRNO_FUNCTION } from "../../src/libc/errno.ts";
import { libc } from "../../src/libc/symbols.ts";

/** How each call fails: what it returns, and its errno. */
const FAILURES: Readonly<Record<string, readonly [number | null, number]>> = {
  open: [-1, E.ENFILE],
  shm_open: [-1, E.ENFILE],
  memfd_create: [-1, E.ENFILE],
  fcntl: [-1, E.ENOLCK],
  fchmod: [-1, E.EIO],
  ftruncate: [-1, E.EIO],
  posix_fallocate: [E.ENOSPC, E.ENOSPC],
  linkat: [-1, E.ENOSPC],
  mmap: [-1, E.ENOMEM],
  mremap: [-1, E.ENOMEM],
  sem_open: [null, E.ENFILE],
  sem_init: [-1, E.EINVAL],
  sem_unlink: [-1, E.EACCES],
  semget: [-1, E.ENOSPC],
  semctl: [-1, E.EACCES],
  semtimedop: [-1, E.ENOMEM],
};

type Call = (...args: unknown[]) => unknown;

/**
 * Makes the `nth` of the calls above fail while an action runs.
 * @returns The failed call; undefined when there were fewer.
 */
export async function failing(
  nth: number,
  action: () => unknown,
): Promise<{ readonly failed: string | undefined; readonly error: unknown }> {
  const table = libc as unknown as Record<string, Call>;
  const errno = new Int32Array(toArrayBuffer(libc[ERRNO_FUNCTION]() as Pointer, 0, 4));
  const real = new Map<string, Call>();
  let calls = 0;
  let failed: string | undefined;
  let error: unknown;
  for (const [name, [answer, code]] of Object.entries(FAILURES)) {
    const call = table[name]!;
    real.set(name, call);
    table[name] = (...args) => {
      if (++calls !== nth) return call(...args);
      failed = name;
      errno[0] = code;
      return answer;
    };
  }
  try {
    await action();
  } catch (thrown) {
    error = thrown;
  } finally {
    for (const [name, call] of real) table[name] = call;
  }
  return { failed, error };
}
