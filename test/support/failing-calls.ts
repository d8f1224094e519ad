/** Makes the calls of libc fail. */
import { type Pointer, toArrayBuffer } from "bun:ffi";
import { E, ERRNO_FUNCTION } from "../../src/libc/errno.ts";
import { has, libc } from "../../src/libc/symbols.ts";

type Call = (...args: unknown[]) => unknown;
type Calls = Record<string, Call>;

/** The errno with which each call fails. */
export type Failures = Readonly<Record<string, number>>;

/** How those fail that are made when something is made, found or removed. */
export const FAILURES: Failures = {
  open: E.ENFILE,
  shm_open: E.ENFILE,
  memfd_create: E.ENFILE,
  fcntl: E.ENOLCK,
  fchmod: E.EIO,
  ftruncate: E.EIO,
  posix_fallocate: E.ENOSPC,
  linkat: E.ENOSPC,
  mmap: E.ENOMEM,
  mremap: E.ENOMEM,
  sem_open: E.ENFILE,
  sem_init: E.EINVAL,
  sem_unlink: E.EACCES,
  semget: E.ENOSPC,
  semctl: E.EACCES,
  semtimedop: E.ENOMEM,
};

/** Those that cannot fail. */
const SURE: ReadonlySet<string> = new Set([
  "__errno_location",
  "__error",
  "strerror",
  "gnu_get_libc_version",
  "getpagesize",
  "close",
]);

/** All calls that can fail, with this errno. */
export function allFailing(code: number): Failures {
  const names = Object.keys(libc).filter((name) => !SURE.has(name) && has(name as "open"));
  return Object.fromEntries(names.map((name) => [name, code]));
}

/** What a call that fails returns. */
function answerOf(name: string, code: number): number | null {
  if (name === "posix_fallocate") return code;
  return name === "sem_open" ? null : -1;
}

/** Calls that fail, until this is disposed of. */
export class FailingCalls implements Disposable {
  /** The last one that failed. */
  failed: string | undefined;
  /** All that were made. */
  readonly called: Set<string> = new Set();
  readonly #real: Calls = {};

  /** @param which The number of the one that fails, from 1; or all of them, or none. */
  constructor(which: number | "each" | "none", failures: Failures = FAILURES) {
    const table = libc as unknown as Calls;
    const errno = new Int32Array(toArrayBuffer(libc[ERRNO_FUNCTION]() as Pointer, 0, 4));
    let calls = 0;
    for (const [name, code] of Object.entries(failures)) {
      const call = table[name]!;
      this.#real[name] = call;
      table[name] = (...args) => {
        this.called.add(name);
        if (which !== "each" && ++calls !== which) return call(...args);
        this.failed = name;
        errno[0] = code;
        return answerOf(name, code);
      };
    }
  }

  [Symbol.dispose](): void {
    Object.assign(libc, this.#real);
  }
}

/**
 * Makes the `nth` of some calls fail while an action runs.
 * @returns The failed call, or undefined when there were fewer; and what the action threw.
 */
export async function failing(
  nth: number,
  action: () => unknown,
  failures: Failures = FAILURES,
): Promise<{ readonly failed: string | undefined; readonly error: unknown }> {
  using calls = new FailingCalls(nth, failures);
  let error: unknown;
  try {
    await action();
  } catch (thrown) {
    error = thrown;
  }
  return { failed: calls.failed, error };
}
