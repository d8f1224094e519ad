/** Signals that come all the time, for programs that tests start. */
import { dlopen, ptr } from "bun:ffi";

/** Lets a signal come to this process every half millisecond: more often than any sleep ends. */
export function beInterrupted(): void {
  process.on("SIGALRM", () => {});
  const { symbols } = dlopen("libc.so.6", {
    setitimer: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  });
  // The interval and the first time, each in seconds and microseconds.
  const times = new BigInt64Array(new ArrayBuffer(32));
  times.set([0n, 500n, 0n, 500n]);
  symbols.setitimer(0, ptr(times), null);
}
