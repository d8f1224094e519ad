/** What the methods of Segment take. */
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { PageOptions } from "../memory/pages.ts";

/** How to make a segment. */
export interface SegmentCreateOptions extends PageOptions {
  /** Size in bytes, an integer from 1 to 4 GiB. The object has exactly this size. */
  readonly size: number;
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  readonly mode?: number | undefined;
  /**
   * Reserve memory for every byte now, so that a full /dev/shm is an error here (ENOSPC) and not
   * a SIGBUS at a later write, which nothing can catch. Default true.
   */
  readonly reserve?: boolean | undefined;
  /** Refuse names of more than 31 bytes, which macOS does not allow. Default false. */
  readonly portable?: boolean | undefined;
  /**
   * Seal a memfd: nobody can ever shrink or grow it, so it cannot end a reader with a SIGBUS.
   * Default true; other kinds of memory have no seals.
   */
  readonly sealed?: boolean | undefined;
}

/** How to make a segment, or attach to an existing one. */
export interface SegmentOpenOrCreateOptions extends SegmentCreateOptions, OwnerOptions {
  /**
   * Discard what an existing object holds, and give it `size`. Refused (EBUSY) while another handle
   * or program is known to have it open, whose process would end with a SIGBUS. Default false.
   */
  readonly truncate?: boolean | undefined;
}

/** How to attach to a segment. */
export interface SegmentOpenOptions extends OwnerOptions, PageOptions {
  /**
   * "read" maps a private copy-on-write view of a read-only descriptor. A page shows what others
   * write until this process writes to it; from then on it is this process's own copy, and stale.
   * So a write never ends in a SIGSEGV, and never reaches others. Default "readwrite".
   */
  readonly access?: "readwrite" | "read" | undefined;
  /**
   * Milliseconds to wait, blocking this thread, for the name to appear, and for its creator to
   * finish. Default: 0 for the name; a creator that lives is waited for as the call says.
   */
  readonly waitMs?: number | undefined;
  /** First byte to map, a multiple of the page size. Default 0. */
  readonly offset?: number | undefined;
  /** How many bytes to map. Default: all to the end of the object. */
  readonly length?: number | undefined;
}

/** How to resize a segment. */
export interface SegmentResizeOptions {
  /** Allow shrinking, because no process touches what is cut off. Default false. */
  readonly force?: boolean | undefined;
  /** Reserve memory for every new byte, so that a lack of it is an error now. Default true. */
  readonly reserve?: boolean | undefined;
}
