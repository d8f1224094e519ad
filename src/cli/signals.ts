/** The signals that ask a command to end. */
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @returns The exit code by which a shell knows that a signal ended a program. */
const codeOf = (signal: (typeof SIGNALS)[number]): number => 128 + constants.signals[signal];

/**
 * For what only a signal ends, so that it has done its work then.
 * @returns A promise that is fulfilled by the first signal; a second one ends the process at once.
 */
export function untilSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (asked) process.exit(codeOf(signal));
      asked = true;
      resolve();
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
    const end = (): never => process.exit(codeOf(signal));
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
