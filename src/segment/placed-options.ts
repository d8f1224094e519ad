/** How something that lies in a segment is made and found. */
import type { OwnerOptions } from "../memory/objects/owner.ts";
import { PAGE_OPTIONS, type PageOptions } from "../memory/pages.ts";

/** How the segment of a named structure is made. */
export interface PlacedCreateOptions {
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  readonly mode?: number | undefined;
}

/** How a named structure is found. */
export interface PlacedOpenOptions extends OwnerOptions {
  /** Milliseconds to wait, blocking this thread, for the name to appear. Default 0. */
  readonly waitMs?: number | undefined;
}

/** How the segment of a structure is made that may be large. */
export interface StructureCreateOptions extends PlacedCreateOptions, PageOptions {}

/** How a named structure is found that may be large, and may only be read. */
export interface StructureOpenOptions extends PlacedOpenOptions, PageOptions {
  /**
   * "read" needs only the right to read the object, and refuses every change. Waits look once in a
   * millisecond, or five in the event loop, since nobody knows of them. Default "readwrite".
   */
  readonly access?: "readwrite" | "read" | undefined;
}

/** How a structure is made inside a segment of the user's. */
export interface PlacedInitOptions {
  /**
   * Make a new one over an existing one, which nobody may be using. Default false: an existing one
   * is an error.
   */
  readonly overwrite?: boolean | undefined;
}

/** The names of the options of calls that make and find structures which may be large. */
export const STRUCTURE_OPTIONS: Readonly<
  Record<"create" | "openOrCreate" | "open", readonly string[]>
> = {
  create: ["mode", ...PAGE_OPTIONS],
  openOrCreate: ["mode", "owner", ...PAGE_OPTIONS],
  open: ["waitMs", "owner", "access", ...PAGE_OPTIONS],
};

/** The static calls that make or find a structure. */
export type StructureCall = "create" | "openOrCreate" | "init" | "open" | "at";

/**
 * @param made The names of the structure's own options in calls that make one.
 * @param found Those in calls that find one.
 * @returns The names of the options of each call.
 */
export function structureOptions(
  made: readonly string[],
  found: readonly string[],
): Readonly<Record<StructureCall, readonly string[]>> {
  return {
    create: [...made, ...STRUCTURE_OPTIONS.create],
    openOrCreate: [...made, ...STRUCTURE_OPTIONS.openOrCreate],
    init: [...made, "overwrite"],
    open: [...found, ...STRUCTURE_OPTIONS.open],
    at: found,
  };
}
