/**
 * The mark of what is being made. A maker writes it before everything else, and takes it away when
 * all is finished. So whatever carries it is this package's own, and may be made again once nobody
 * makes it; anything else without a magic word is somebody else's, and is never made over.
 */

/** "MAKE" as bytes in memory. */
export const MAKING = 0x454b414d;

/** How an unfinished structure of one kind is known. */
export interface Making {
  /** Where the mark lies, in bytes from the structure's start. */
  readonly offset: number;
  /** The words that lie there only before it is finished. */
  readonly words: readonly number[];
}
