/** Names as people type them. */
import { backingOf } from "../inspection/inspect.ts";

/** @returns A name with its slash: "orders" becomes "/orders"; `sysv:…` and others stay. */
export function objectName(typed: string): string {
  const bare = typed.startsWith("/dev/shm/") ? typed.slice("/dev/shm".length) : typed;
  return backingOf(bare) === "posix" && !bare.startsWith("/") ? `/${bare}` : bare;
}

/** @returns A test whether a name fits one of the patterns; without patterns, all names fit. */
export function fitsAny(patterns: readonly string[]): (name: string) => boolean {
  const wanted = patterns.map((pattern) => pattern.replace(/^\//, ""));
  const globs = wanted.map((pattern) => new Bun.Glob(pattern));
  return (name) => {
    const bare = name.replace(/^\//, "");
    // A name may have characters that mean something in a pattern.
    return wanted.length === 0 || wanted.includes(bare) || globs.some((glob) => glob.match(bare));
  };
}
