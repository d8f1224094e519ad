/** The signals that ask a command to end. */

/** @returns A promise that is fulfilled by the first such signal. */
export function untilSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => resolve());
  return promise;
}
