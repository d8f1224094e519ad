/** The tables that `ipcs` shows, out of /proc/sysvipc. */
import { readText } from "./file-system.ts";

/** One line of such a table, by the names in its first line. */
export type SysvRow = Readonly<Record<string, number>>;

/** Reads /proc/sysvipc/shm or sem; empty where there is none. */
export function readSysvTable(which: "shm" | "sem"): SysvRow[] {
  const text = readText(`/proc/sysvipc/${which}`) ?? "";
  const [head = "", ...lines] = text.split("\n");
  const names = head.trim().split(/\s+/);
  return lines.map((line) => {
    const values = line.trim().split(/\s+/);
    const row: Record<string, number> = {};
    names.forEach((name, at) => {
      // Only the mode is octal.
      row[name] = Number.parseInt(values[at] ?? "", name === "perms" ? 8 : 10);
    });
    return row;
  });
}
