/** The check who may read and write what lies in shared memory. */
import { visible } from "../arguments.ts";
import { forEachStructure } from "./activities.ts";
import { type Finding, note, ok } from "./finding.ts";
import type { ObjectUsage } from "./usage.ts";

/** How many names one finding shows. */
const NAMES_SHOWN = 8;

const FIX =
  "Make them with the default mode, 0600, unless other users are to use them; chmod changes it";

/**
 * What others may do to the structures of this package and to semaphores, by their modes. Who may
 * read can hold shared locks of the kernel, which keep others from taking part; who may write can
 * do anything.
 */
export function checkAccess(objects: readonly ObjectUsage[]): Finding[] {
  const found: Record<"write" | "read", string[]> = { write: [], read: [] };
  forEachStructure(objects, ({ name, mode }) => {
    if ((mode & 0o022) !== 0) found.write.push(name);
    else if ((mode & 0o044) !== 0) found.read.push(name);
  });
  const tokens = objects.filter(({ type, mode }) => type === "semaphore" && (mode & 0o022) !== 0);
  const findings: Finding[] = [];
  if (tokens.length > 0) {
    const which = list(tokens.map(({ name }) => name));
    findings.push(note("access", `Other users may take and add tokens of ${which}.`, FIX));
  }
  if (found.write.length > 0) {
    const what = "can change what they hold, and hold their locks for ever";
    findings.push(
      note("access", `Other users may write to ${list(found.write)}: they ${what}.`, FIX),
    );
  }
  if (found.read.length > 0) {
    const what = "can hold locks that keep everybody else from opening or using them";
    findings.push(note("access", `Other users may read ${list(found.read)}: they ${what}.`, FIX));
  }
  return findings.length > 0
    ? findings
    : [ok("access", "No structure or semaphore can be used by users who do not own it.")];
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).map((name) => visible(name));
  const more = names.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
