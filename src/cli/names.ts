/** Names as people type them. */
import { backingOf } from "../inspection/inspect.ts";

/** A name with its slash: "orders" is "/orders"; `sysv:` and the like stay as they are. */
export function objectName(typed: string): string {
  const bare = typed.startsWith("/dev/shm/") ? typed.slice("/dev/shm".length) : typed;
  return backingOf(bare) === "posix" && !bare.startsWith("/") ? `/${bare}` : bare;
}

/** Whether a name fits one of the patterns, which have no slash; without any, all do. */
export function fitsAny(patterns: readonly string[]): (name: string) => boolean {
  const globs = patterns.map((pattern) => new Bun.Glob(pattern.replace(/^\//, "")));
  return (name) => globs.length === 0 || globs.some((glob) => glob.match(name.replace(/^\//, "")));
}
