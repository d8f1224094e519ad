/** What the checks of `doctor` return. */

/** The result of one check. */
export interface Finding {
  /** A short name of the check: "size", "permissions" … */
  readonly check: string;
  /** "mend": something fails, or will fail. "note": something is worth knowing. */
  readonly status: "ok" | "note" | "mend";
  /** What was found, in one plain sentence. */
  readonly text: string;
  /** The command, or the step, that mends it. */
  readonly fix?: string;
}

export const MIB: number = 2 ** 20;

export const ok = (check: string, text: string): Finding => ({ check, status: "ok", text });

export const note = (check: string, text: string, fix?: string): Finding =>
  fix === undefined ? { check, status: "note", text } : { check, status: "note", text, fix };

export const mend = (check: string, text: string, fix: string): Finding => ({
  check,
  status: "mend",
  text,
  fix,
});

export const inMib = (bytes: number): string => `${Math.floor(bytes / MIB)} MiB`;
