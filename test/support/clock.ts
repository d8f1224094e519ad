/** Lets a test set the clock of `Date`. The kernel's clocks and timers run on. */
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
