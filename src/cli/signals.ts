/** Waits until somebody wants the command to end. */

/** @returns A promise of the first signal that asks for an end. */
export function untilSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => resolve());
  return promise;
}
