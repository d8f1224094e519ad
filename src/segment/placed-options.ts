/** How something that lies in a segment is made and found. */
import type { OwnerOptions } from "../memory/objects/owner.ts";

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

/** How a named structure is found that can also be used for reading only. */
export interface ReadableOpenOptions extends PlacedOpenOptions {
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
