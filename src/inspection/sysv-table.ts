/** Reads the tables of /proc/sysvipc, which `ipcs` shows. */
import { readText } from "./file-system.ts";

/** One line of such a table; the keys are the names in its first line. */
export type SysvRow = Readonly<Record<string, number>>;

/** @returns The lines of /proc/sysvipc/shm or sem; none where there is no such table. */
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
