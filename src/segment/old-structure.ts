/** What the structures have in common: a segment with a header, made here or found. */
import {
  SEGMENT_HEADER_LENGTH,
  type SegmentHeader,
  isHeaderReady,
  publishHeader,
  readHeader,
  writeHeader,
} from "../layout/segment-header.ts";
import { E, fail } from "../libc/errno.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import { Segment, type SegmentCreateOptions } from "./segment.ts";

/** How long an opener waits for a creator that is between two steps, in ms. */
const PATIENCE_MS = 1000;

/**
 * The lock byte of whoever fills a new structure. While it is held, the maker lives; a header that
 * is not finished and a lock that is free mean that it died, and that the next one may begin again.
 */
const FILL_BYTE = 2 ** 40 + 1;

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

/** A header to be written; the data follow it at once unless it says otherwise. */
export type NewHeader = Omit<SegmentHeader, "dataOffset"> & { readonly dataOffset?: number };

/** The kinds that an opener can take, and the layout that it expects of each. */
export type KnownKinds = Readonly<Record<number, { readonly layoutHash: number }>>;

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
   * @throws SystemError EEXIST when the name is taken, or a structure lies in the segment.
   */
  static create(
    noun: string,
    target: string | Segment,
    header: NewHeader,
    options: StructureCreateOptions,
    fill: (structure: Structure) => void,
  ): Structure {
    const owned = typeof target === "string";
    const segment = owned ? Segment.create(target, segmentOptions(header, options)) : target;
    const what = `${noun} "${segment.name}"`;
    try {
      const structure = Structure.#fill(what, segment, owned, header, fill);
      if (structure !== undefined) return structure;
      const hint = "A structure lies there";
      return fail(`Cannot make ${what}`, -E.EEXIST, "create", segment.name, hint);
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
    kinds: KnownKinds,
    options: StructureOpenOptions,
  ): Structure {
    const owned = typeof target === "string";
    const segment = owned ? Segment.open(target, { waitMs: options.wait ?? 0 }) : target;
    return Structure.#openIn(noun, segment, owned, kinds);
  }

  /**
   * Finds the structure, or makes it: exactly one of those that come at once makes it. One whose
   * maker died before it had finished is made again.
   * @throws As `create` and `open`.
   */
  static openOrCreate(
    noun: string,
    target: string | Segment,
    kinds: KnownKinds,
    header: NewHeader,
    options: StructureCreateOptions,
    fill: (structure: Structure) => void,
  ): Structure {
    const owned = typeof target === "string";
    const segment = owned
      ? Segment.attachOrCreate(target, segmentOptions(header, options))
      : target;
    try {
      const what = `${noun} "${segment.name}"`;
      const made = Structure.#fill(what, segment, owned, header, fill);
      if (made !== undefined) return made;
    } catch (error) {
      if (owned) segment.close();
      throw error;
    }
    return Structure.#openIn(noun, segment, owned, kinds);
  }

  /** Fills a segment in which nothing is finished. @returns undefined when something is. */
  static #fill(
    what: string,
    segment: Segment,
    owned: boolean,
    header: NewHeader,
    fill: (structure: Structure) => void,
  ): Structure | undefined {
    const words = wordsOf(segment);
    const deadline = monotonicMs() + PATIENCE_MS;
    while (!isHeaderReady(words, what, 0)) {
      using lock = segment.tryLock(FILL_BYTE);
      if (lock !== undefined && !isHeaderReady(words, what, 0)) {
        const full = { dataOffset: SEGMENT_HEADER_LENGTH, ...header };
        const size = full.dataOffset + full.dataLength;
        if (segment.size < size) {
          throw new RangeError(
            `Cannot make ${what}: it needs ${size} bytes, and the segment has ${segment.size}`,
          );
        }
        // What a maker that died left half done is not to be built upon.
        if (!segment.created) segment.bytes.fill(0, 0, size);
        const structure = new Structure(what, segment, full, owned);
        fill(structure);
        writeHeader(segment.view, full, process.pid);
        publishHeader(words);
        return structure;
      }
      if (monotonicMs() >= deadline) return undefined;
      sleepMs(0.2);
    }
    return undefined;
  }

  static #openIn(noun: string, segment: Segment, owned: boolean, kinds: KnownKinds): Structure {
    const what = `${noun} "${segment.name}"`;
    try {
      const words = wordsOf(segment);
      const deadline = monotonicMs() + PATIENCE_MS;
      while (!isHeaderReady(words, what, 0)) {
        if (monotonicMs() >= deadline) {
          const hint = "Its creator died before it had finished; Segment.unlink removes it";
          fail(`Cannot open ${what}`, -E.ENODATA, "open", segment.name, hint);
        }
        sleepMs(0.2);
      }
      return new Structure(
        what,
        segment,
        readHeader({ view: segment.view, offset: 0 }, what, kinds),
        owned,
      );
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

function segmentOptions(
  { dataOffset = SEGMENT_HEADER_LENGTH, dataLength }: NewHeader,
  { mode }: StructureCreateOptions,
): SegmentCreateOptions {
  const size = dataOffset + dataLength;
  return { size, ...(mode === undefined ? {} : { mode }) };
}

function wordsOf({ buffer }: Segment): Int32Array {
  return new Int32Array(buffer, 0, buffer.byteLength >> 2);
}
