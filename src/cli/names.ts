/** Names as people type them. */
import { backingOf } from "../inspection/inspect.ts";

/** @returns A name with its slash: "orders" becomes "/orders"; `sysv:…` and others stay. */
export function objectName(typed: string): string {
  const bare = typed.startsWith("/dev/shm/") ? typed.slice("/dev/shm".length) : typed;
  return backingOf(bare) === "posix" && !bare.startsWith("/") ? `/${bare}` : bare;
}

/** @returns A test whether a name fits one of the patterns; without patterns, all names fit. */
export function fitsAny(patterns: readonly string[]): (name: string) => boolean {
  const globs = patterns.map((pattern) => new Bun.Glob(pattern.replace(/^\//, "")));
  return (name) => globs.length === 0 || globs.some((glob) => glob.match(name.replace(/^\//, "")));
}
