/** The signals that ask a command to end. */
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @returns A promise that is fulfilled by the first such signal; a second one ends at once. */
export function untilSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      resolve();
      process.on(signal, () => process.exit(128 + constants.signals[signal]));
    });
  }
  return promise;
}

/**
 * Calls a function once: when it is disposed of, or when a signal or a reader that went away ends
 * the process before. It must be synchronous.
 */
export function beforeExit(call: () => void): Disposable {
  const ends = SIGNALS.map((signal) => {
    const end = (): never => process.exit(128 + constants.signals[signal]);
    process.on(signal, end);
    return [signal, end] as const;
  });
  process.once("exit", call);
  return {
    [Symbol.dispose]() {
      process.off("exit", call);
      call();
      for (const [signal, end] of ends) process.off(signal, end);
    },
  };
}
