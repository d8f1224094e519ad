/** How every structure that has a header is made, found, compared and closed. */
import { checkInside } from "../arguments.ts";
import { HEADED } from "../layout/recognition.ts";
import {
  HEADER_CODEC_OFFSET,
  HEADER_MAKING,
  SEGMENT_HEADER_LENGTH,
  type SegmentHeader,
  isHeaderReady,
  publishHeader,
  readHeader,
  writeHeader,
} from "../layout/segment-header.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import { Placed, type PlacedKind } from "./placed.ts";
import type {
  StructureCreateOptions,
  PlacedInitOptions,
  StructureOpenOptions,
} from "./placed-options.ts";
import type { Segment } from "./segment.ts";

/** A header to be written; without `dataOffset`, the data follow it at once. */
export type NewHeader = Omit<SegmentHeader, "dataOffset"> & { readonly dataOffset?: number };

/** One noun: its name, and the kinds of structure that it can be, with the layout of each. */
export interface StructureKind {
  /** For messages: "ring". */
  readonly noun: string;
  readonly kinds: Readonly<Record<number, { readonly layoutHash: number }>>;
  /** Whether it can be used in a segment that was opened for reading only. Default true. */
  readonly readable?: boolean;
}

/** How many bytes a structure with this header takes. */
export function structureLength({ dataOffset, dataLength }: NewHeader): number {
  return (dataOffset ?? SEGMENT_HEADER_LENGTH) + dataLength;
}

function placedKind({ noun, readable = true }: StructureKind): PlacedKind {
  return { noun, readable, family: HEADED, making: HEADER_MAKING, isReady: isHeaderReady };
}

/** A structure in its segment. */
export class Structure {
  /** Where it lies, and whether it is still open. */
  readonly placed: Placed;
  readonly header: SegmentHeader;

  private constructor(placed: Placed, header: SegmentHeader) {
    this.placed = placed;
    this.header = header;
  }

  /**
   * Makes a structure in a new segment of that name.
   *
   * @param fill Writes everything but the header. If it throws, the segment is removed.
   * @throws SystemError EEXIST, ENOSPC, EACCES.
   */
  static create<T>(
    kind: StructureKind,
    name: string,
    header: NewHeader,
    options: StructureCreateOptions,
    fill: (structure: Structure) => T,
  ): T {
    const make = (placed: Placed): T => Structure.#make(placed, header, fill);
    return Placed.create(placedKind(kind), name, structureLength(header), options, make);
  }

  /**
   * Finds a structure that another process made, or is making.
   * @throws SystemError ENOENT; LayoutError when it is something else; StateError ENODATA.
   */
  static open<T>(
    kind: StructureKind,
    name: string,
    options: StructureOpenOptions,
    find: (structure: Structure) => T,
  ): T {
    return Placed.open(placedKind(kind), name, options, (placed) =>
      find(Structure.#find(kind, placed)),
    );
  }

  /**
   * Finds the structure, or makes it.
   * @throws The errors of `create` and `open`.
   */
  static openOrCreate<T>(
    kind: StructureKind,
    name: string,
    header: NewHeader,
    options: StructureCreateOptions & OwnerOptions,
    fill: (structure: Structure) => T,
    find: (structure: Structure) => T,
  ): T {
    return Placed.openOrCreate(
      placedKind(kind),
      name,
      structureLength(header),
      options,
      (placed) => Structure.#make(placed, header, fill),
      (placed) => find(Structure.#find(kind, placed)),
    );
  }

  /** Makes a structure inside a segment of the user's. @throws StateError EEXIST; RangeError. */
  static init<T>(
    kind: StructureKind,
    segment: Segment,
    offset: number,
    header: NewHeader,
    options: PlacedInitOptions,
    fill: (structure: Structure) => T,
  ): T {
    const make = (placed: Placed): T => Structure.#make(placed, header, fill);
    const byteLength = structureLength(header);
    return Placed.init(placedKind(kind), segment, offset, byteLength, options, make);
  }

  /** Finds a structure inside a segment of the user's. @throws LayoutError; StateError ENODATA. */
  static at<T>(
    kind: StructureKind,
    segment: Segment,
    offset: number,
    find: (structure: Structure) => T,
  ): T {
    return Placed.at(placedKind(kind), segment, offset, SEGMENT_HEADER_LENGTH, (placed) =>
      find(Structure.#find(kind, placed)),
    );
  }

  static #make<T>(placed: Placed, wanted: NewHeader, fill: (structure: Structure) => T): T {
    const header = { dataOffset: SEGMENT_HEADER_LENGTH, ...wanted };
    placed.clear(structureLength(header));
    const result = fill(new Structure(placed, header));
    writeHeader(viewOf(placed), header, process.pid);
    publishHeader(placed.words());
    return result;
  }

  static #find(kind: StructureKind, placed: Placed): Structure {
    const bytes = { view: viewOf(placed), offset: placed.offset };
    return new Structure(placed, readHeader(bytes, placed.what, kind.kinds));
  }

  /** For the constructor of a noun, which plain JavaScript can call. @throws TypeError. */
  static check(structure: unknown, name: string): void {
    checkInside(structure instanceof Structure, name);
  }

  get segment(): Segment {
    return this.placed.segment;
  }

  /** For messages: `ring "/x"`. */
  get what(): string {
    return this.placed.what;
  }

  /** Where the structure's data start, in bytes from the segment's start. */
  get dataOffset(): number {
    return this.placed.offset + this.header.dataOffset;
  }

  /** Compares a parameter like `Placed.mustHave`. @throws LayoutError. */
  mustHave<V extends string | number>(
    field: string,
    offset: number,
    found: V,
    asked: V | undefined,
  ): void {
    this.placed.mustHave(field, offset, found, asked);
  }

  /**
   * Compares the codec of its values. The id "" fits every codec, on either side.
   *
   * @param name The name of the codec in the message.
   * @throws LayoutError that names both codecs.
   */
  mustHaveCodec(id: string, name: string = id): void {
    const found = this.header.codec ?? "";
    if (found === "" || id === "" || found === id) return;
    this.mustHave("codec", HEADER_CODEC_OFFSET, found, name);
  }
}

function viewOf({ segment, offset }: Placed): DataView {
  return new DataView(segment.buffer, offset);
}
