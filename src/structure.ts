/** What record, map and atomics have in common: a segment with a header, made here or found. */
import {
  SEGMENT_HEADER_LENGTH,
  type SegmentHeader,
  isHeaderReady,
  publishHeader,
  readHeader,
  writeHeader,
} from "./layout/segment-header.ts";
import { E, fail } from "./libc/errno.ts";
import { monotonicMs, sleepMs } from "./libc/time.ts";
import { Segment } from "./segment.ts";

/** How long an opener waits for a creator that is between two steps, in ms. */
const PATIENCE_MS = 1000;

/** How the segment of a structure is made; without effect on a segment that is given. */
export interface StructureCreateOptions {
  /** Permission bits. Default 0o600: this user only. */
  readonly mode?: number;
}

/** How a structure is found. */
export interface StructureOpenOptions {
  /** Milliseconds to wait, blocking this thread, for the structure to appear. Default 0. */
  readonly wait?: number;
}

/** A structure in its segment. */
export class Structure {
  readonly what: string;
  readonly segment: Segment;
  readonly header: SegmentHeader;
  /** Whether the segment was made or opened for the structure, and is closed with it. */
  readonly #owned: boolean;

  private constructor(what: string, segment: Segment, header: SegmentHeader, owned: boolean) {
    this.what = what;
    this.segment = segment;
    this.header = header;
    this.#owned = owned;
  }

  /** Where the structure's data start, in bytes. */
  get dataOffset(): number {
    return this.header.dataOffset;
  }

  /**
   * Makes a structure in a new segment, or at the start of one that is given.
   * @param fill Writes everything but the header. If it throws, nothing is left behind.
   */
  static create(
    noun: string,
    target: string | Segment,
    header: Omit<SegmentHeader, "dataOffset">,
    options: StructureCreateOptions,
    fill: (structure: Structure) => void,
  ): Structure {
    const size = SEGMENT_HEADER_LENGTH + header.dataLength;
    const owned = typeof target === "string";
    const { mode } = options;
    const segment = owned
      ? Segment.create(target, { size, ...(mode === undefined ? {} : { mode }) })
      : target;
    const what = `${noun} "${segment.name}"`;
    try {
      if (segment.size < size) {
        throw new RangeError(
          `Cannot make ${what}: it needs ${size} bytes, and the segment has ${segment.size}`,
        );
      }
      const full = { ...header, dataOffset: SEGMENT_HEADER_LENGTH };
      const structure = new Structure(what, segment, full, owned);
      if (!owned && isHeaderReady(wordsOf(segment))) {
        fail(`Cannot make ${what}`, -E.EEXIST, "create", segment.name, "A structure lies there");
      }
      fill(structure);
      writeHeader(segment.view, full, process.pid);
      publishHeader(wordsOf(segment));
      return structure;
    } catch (error) {
      if (owned) {
        segment.unlink();
        segment.close();
      }
      throw error;
    }
  }

  /**
   * Finds a structure that another process made, or is making.
   * @throws LayoutError when something else lies there; SystemError ENOENT, ENODATA.
   */
  static open(
    noun: string,
    target: string | Segment,
    kind: number,
    layoutHash: number,
    options: StructureOpenOptions,
  ): Structure {
    const owned = typeof target === "string";
    const segment = owned ? Segment.open(target, { wait: options.wait ?? 0 }) : target;
    const what = `${noun} "${segment.name}"`;
    try {
      const words = wordsOf(segment);
      const deadline = monotonicMs() + PATIENCE_MS;
      while (!isHeaderReady(words)) {
        if (monotonicMs() >= deadline) {
          const hint = "Its creator died before it had finished; Segment.unlink removes it";
          fail(`Cannot open ${what}`, -E.ENODATA, "open", segment.name, hint);
        }
        sleepMs(0.2);
      }
      const header = readHeader(segment.view, what, { [kind]: { layoutHash } });
      return new Structure(what, segment, header, owned);
    } catch (error) {
      if (owned) segment.close();
      throw error;
    }
  }

  /** Closes the segment if it was opened for this structure. */
  close(): void {
    if (this.#owned) this.segment.close();
  }
}

function wordsOf({ buffer }: Segment): Int32Array {
  return new Int32Array(buffer, 0, buffer.byteLength >> 2);
}
