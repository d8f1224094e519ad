import { statSync } from "node:fs";
import { spelled } from "../libc/name-spelling.ts";
import { pathText } from "../libc/path-bytes.ts";
import { objectKey } from "../memory/processes.ts";
import { type ObjectUser, findUsers } from "../memory/user-table.ts";
import { filesIn } from "./object-files.ts";
import { objectDirectory } from "./room.ts";

/** Memory that is taken in the directory of the objects, and is in no object that has a name. */
export interface UnlistedMemory {
  /**
   * "removed": an object whose name was removed, and whose memory is kept by the processes that
   * have it; "directory": the files in a directory, of which none is an object.
   */
  readonly kind: "removed" | "directory";
  /** The name that it had, or the directory's name. */
  readonly name: string;
  /** Bytes of memory that it takes. */
  readonly used: number;
  /** The processes that have it; of a directory, none is named. */
  readonly users: readonly ObjectUser[];
}

/**
 * Finds the memory that `usage` does not list: objects whose name was removed while processes have
 * them, and files in directories. It reads /proc once, and does not block; the list is stale the
 * moment it is returned. What processes of other users keep may be out of this user's sight.
 *
 * @returns An entry for each, the largest first.
 * @throws UnsupportedError where the system does not show its objects (macOS, FreeBSD).
 *
 * @example
 * ```ts
 * for (const { name, used, users } of unlisted()) console.log(name, used, users.length);
 * ```
 */
export function unlisted(): UnlistedMemory[] {
  const directory = objectDirectory("Cannot find unlisted memory");
  const { dev } = statSync(directory);
  const { removed, users } = findUsers(dev);
  const walked = new Walk(dev);
  const found: UnlistedMemory[] = [];
  for (const { file, stat } of filesIn(directory)) {
    if (!stat.isDirectory()) continue;
    const used = walked.bytesIn(`${directory}/${file}`);
    found.push({ kind: "directory", name: spelled(`/${file}`), used, users: [] });
  }
  for (const [key, { path, used }] of removed) {
    const text = spelled(pathText(Buffer.from(path, "latin1")));
    const name = text.startsWith(`${directory}/`) ? text.slice(directory.length) : text;
    found.push({ kind: "removed", name, used, users: users.get(key) ?? [] });
  }
  return found.sort((a, b) => b.used - a.used);
}

/** Adds up what files take, each once however many names it has. */
class Walk {
  readonly #device: number;
  readonly #seen = new Set<string>();

  constructor(device: number) {
    this.#device = device;
  }

  bytesIn(top: string): number {
    const waiting = [top];
    let bytes = 0;
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      for (const { file, stat } of readable(directory)) {
        const key = objectKey(stat.dev, stat.ino);
        // Another file system may be mounted there.
        if (stat.dev !== this.#device || this.#seen.has(key)) continue;
        this.#seen.add(key);
        if (stat.isDirectory()) waiting.push(`${directory}/${file}`);
        else bytes += stat.blocks * 512;
      }
    }
    return bytes;
  }
}

function readable(directory: string): ReturnType<typeof filesIn> {
  try {
    return filesIn(directory);
  } catch {
    // It is another user's, or is gone by now.
    return [];
  }
}
