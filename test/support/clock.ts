/** The clock of `Date` under a test's hand. Kernel clocks and timers run on. */
import { setSystemTime } from "bun:test";

/** Stops `Date.now()` until it is disposed of. */
export function stoppedClock(): { readonly now: number; go(ms: number): void } & Disposable {
  let now = Date.now();
  setSystemTime(now);
  return {
    get now(): number {
      return now;
    },
    go(ms: number): void {
      now += ms;
      setSystemTime(now);
    },
    [Symbol.dispose]: () => void setSystemTime(),
  };
}
