/** The names of users by their numbers. */
import { readText } from "./file-system.ts";

let names: Map<number, string> | undefined;

/** @returns A user's login name; the number as text when the machine knows no name. */
export function userName(uid: number): string {
  if (names === undefined) {
    names = new Map();
    // A container may have no such file.
    for (const line of readText("/etc/passwd")?.split("\n") ?? []) {
      const [name, , id] = line.split(":");
      if (name && id && !names.has(Number(id))) names.set(Number(id), name);
    }
  }
  return names.get(uid) ?? String(uid);
}
