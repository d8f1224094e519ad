/** Names of users by their numbers. */
import { readFileSync } from "node:fs";

let names: Map<number, string> | undefined;

/** The login name, or the number as text where the machine knows none. */
export function userName(uid: number): string {
  if (names === undefined) {
    names = new Map();
    try {
      for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
        const [name, , id] = line.split(":");
        if (name && id && !names.has(Number(id))) names.set(Number(id), name);
      }
    } catch {
      // A container may have no such file.
    }
  }
  return names.get(uid) ?? String(uid);
}
