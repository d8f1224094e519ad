/**
 * The first 128 bytes of every structured segment: what it is, and whether it is finished.
 *
 * The creator fills in everything else, and writes `magic` last. So an opener that reads the magic
 * sees all that the creator wrote before it (SYNC header-ready: the atomic store of `magic` in
 * `publishHeader` pairs with the atomic load in `isHeaderReady`).
 */
import { hex } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import { load, store } from "../memory/atomics.ts";
import { MAKING, type Making } from "./making.ts";
import { type Layout, bytes, u32 } from "./description.ts";

/** "BSHM" as bytes in memory. */
export const SEGMENT_MAGIC = 0x4d485342;
/** Counts incompatible changes of the binary contract as a whole. */
export const SEGMENT_VERSION = 1;
/** Bytes of the header; the structure's own fields come after it. */
export const SEGMENT_HEADER_LENGTH = 128;

/** Offsets in bytes from the structure's start. */
const HEADER_MAGIC_OFFSET = 0;
const HEADER_VERSION_OFFSET = 4;
const HEADER_CREATOR_PID_OFFSET = 8;
const HEADER_STATE_OFFSET = 12;
export const HEADER_KIND_OFFSET = 16;
const HEADER_LAYOUT_HASH_OFFSET = 20;
export const HEADER_DATA_OFFSET_OFFSET = 24;
export const HEADER_DATA_LENGTH_OFFSET = 28;
export const HEADER_PARAMETERS_OFFSET = 32;

export const HEADER_CODEC_OFFSET = 64;

/** How many parameters a kind can keep in the header. */
const PARAMETER_COUNT = 8;
/** Bytes of the longest id of a codec, as UTF-8. */
export const MAX_CODEC_ID_LENGTH = 64;

/** `state`: the structure is in use. */
export const STATE_OPEN = 1;
/** How a structure with a header is known while it is being made. */
export const HEADER_MAKING: Making = { offset: HEADER_STATE_OFFSET, words: [MAKING] };
/** `state`: a finder should make a new one; for structures that can be retired. */
export const STATE_RETIRED = 2;

/** The values of `kind`. A number is never used again for another layout. */
export const SEGMENT_KINDS = {
  spsc: 1,
  mpsc: 2,
  broadcast: 3,
  messageQueue: 4,
  lockTable: 5,
  record: 6,
  map: 7,
  atomics: 8,
  broadcastBlock: 9,
  limiter: 11,
  meters: 12,
  table: 10,
  namedLocks: 13,
} as const;

export const SEGMENT_HEADER: Layout = {
  name: "segment_header",
  text: "Starts every structured segment. Written once, by the creator; `state` may change.",
  length: SEGMENT_HEADER_LENGTH,
  fields: [
    u32(
      "magic",
      HEADER_MAGIC_OFFSET,
      '"BSHM". Written last, with release: all else is valid then.',
    ),
    u32("version", HEADER_VERSION_OFFSET, "The version of the binary contract."),
    u32("creator_pid", HEADER_CREATOR_PID_OFFSET, "For people; nothing relies on it."),
    u32("state", HEADER_STATE_OFFSET, "MAKING while it is made; then 1 open, 2 retired."),
    u32("kind", HEADER_KIND_OFFSET, "Which structure this is."),
    u32(
      "layout_hash",
      HEADER_LAYOUT_HASH_OFFSET,
      "FNV-1a over the fields of the structure's layout.",
    ),
    u32(
      "data_offset",
      HEADER_DATA_OFFSET_OFFSET,
      "Bytes from the start of the structure to the data; a multiple of 128.",
    ),
    u32("data_length", HEADER_DATA_LENGTH_OFFSET, "Bytes of data."),
    u32(
      "parameters",
      HEADER_PARAMETERS_OFFSET,
      "Their meaning depends on the kind.",
      PARAMETER_COUNT,
    ),
    bytes(
      "codec",
      HEADER_CODEC_OFFSET,
      MAX_CODEC_ID_LENGTH,
      "Id of the values' form, UTF-8; empty: any form.",
    ),
  ],
};

/** @returns What a message calls a kind, which is never its number. */
export function kindName(kind: number): string {
  return KIND_NAMES[kind] ?? `an unknown structure (kind ${kind})`;
}

const KIND_NAMES: Readonly<Record<number, string>> = {
  [SEGMENT_KINDS.spsc]: "an spsc ring",
  [SEGMENT_KINDS.mpsc]: "an mpsc ring",
  [SEGMENT_KINDS.broadcast]: "a broadcast ring that overwrites",
  [SEGMENT_KINDS.messageQueue]: "a message queue",
  [SEGMENT_KINDS.lockTable]: "a table of locks",
  [SEGMENT_KINDS.record]: "a record",
  [SEGMENT_KINDS.map]: "a map",
  [SEGMENT_KINDS.atomics]: "atomics",
  [SEGMENT_KINDS.broadcastBlock]: "a broadcast ring that blocks",
  [SEGMENT_KINDS.limiter]: "a rate limiter",
  [SEGMENT_KINDS.meters]: "meters",
  [SEGMENT_KINDS.table]: "a table",
  [SEGMENT_KINDS.namedLocks]: "named locks",
};

/** What a header says of its structure. Offsets count from the structure's start. */
export interface SegmentHeader {
  readonly kind: number;
  readonly layoutHash: number;
  /** Bytes from the structure's start to the data. */
  readonly dataOffset: number;
  /** Bytes of data. */
  readonly dataLength: number;
  /** At most 8 numbers of 32 bits; the rest is 0. */
  readonly parameters?: readonly number[];
  /** The id of the values' codec; "" where values may have any form. */
  readonly codec?: string;
}

/** A structure's bytes, and where they start in the segment. */
export interface StructureBytes {
  readonly view: DataView;
  /** Bytes from the segment's start to the structure. */
  readonly offset: number;
}

/** Fills in everything except the magic and the state. */
export function writeHeader(view: DataView, header: SegmentHeader, creatorPid: number): void {
  view.setUint32(HEADER_VERSION_OFFSET, SEGMENT_VERSION, true);
  view.setUint32(HEADER_CREATOR_PID_OFFSET, creatorPid, true);
  view.setUint32(HEADER_KIND_OFFSET, header.kind, true);
  view.setUint32(HEADER_LAYOUT_HASH_OFFSET, header.layoutHash, true);
  view.setUint32(HEADER_DATA_OFFSET_OFFSET, header.dataOffset, true);
  view.setUint32(HEADER_DATA_LENGTH_OFFSET, header.dataLength, true);
  for (let at = 0; at < PARAMETER_COUNT; at++) {
    view.setUint32(HEADER_PARAMETERS_OFFSET + at * 4, header.parameters?.[at] ?? 0, true);
  }
  const codec = codecBytes(view).fill(0);
  new TextEncoder().encodeInto(header.codec ?? "", codec);
}

function codecBytes({ buffer, byteOffset }: DataView): Uint8Array {
  return new Uint8Array(buffer, byteOffset + HEADER_CODEC_OFFSET, MAX_CODEC_ID_LENGTH);
}

/** @returns The codec's id in a copy of its bytes; bytes that are no UTF-8 read as U+FFFD. */
export function codecIdOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Marks the structure as finished. SYNC header-ready: pairs with `isHeaderReady`. */
export function publishHeader(words: Int32Array): void {
  store(words, HEADER_MAGIC_OFFSET >> 2, SEGMENT_MAGIC);
  // The mark goes last, so that there is no instant without one of the two.
  store(words, HEADER_STATE_OFFSET >> 2, STATE_OPEN);
}

/**
 * Looks whether the creator has finished. SYNC header-ready: pairs with `publishHeader`.
 *
 * @param words The words from the structure's start on.
 * @param what What it is, for messages: `ring "/x"`.
 * @param offset Bytes from the segment's start to the structure.
 * @returns Whether the header is finished; false while it holds only zeros.
 * @throws LayoutError when the bytes are no structure of this package.
 */
export function isHeaderReady(words: Int32Array, what: string, offset: number): boolean {
  if (words.length < SEGMENT_HEADER_LENGTH >> 2) {
    throw new LayoutError(`Cannot open ${what}: the segment is too small for a structure`, {
      expected: `${SEGMENT_HEADER_LENGTH} bytes`,
      found: `${words.length << 2}`,
      offset,
    });
  }
  const magic = load(words, HEADER_MAGIC_OFFSET >> 2);
  if (magic === SEGMENT_MAGIC) return true;
  if (magic === 0) return false;
  throw new LayoutError(`Cannot open ${what}: no structure of this package lies there`, {
    expected: hex(SEGMENT_MAGIC),
    found: hex(magic),
    offset: offset + HEADER_MAGIC_OFFSET,
  });
}

/**
 * Reads a finished header, and checks it against what the caller's build would write: the version,
 * the kind (one of `kinds`), the hash, and that the data lies inside the segment.
 *
 * @returns The header.
 * @throws LayoutError with both values and the offset of the first field that is wrong.
 */
export function readHeader(
  { view, offset }: StructureBytes,
  what: string,
  kinds: Readonly<Record<number, { readonly layoutHash: number }>>,
): SegmentHeader {
  const wrong = (why: string, field: number, expected: string, found: string): never => {
    const details = { expected, found, offset: offset + field };
    throw new LayoutError(`Cannot open ${what}: ${why}`, details);
  };
  const version = view.getUint32(HEADER_VERSION_OFFSET, true);
  if (version !== SEGMENT_VERSION) {
    const expected = `version ${SEGMENT_VERSION}`;
    wrong("another version made it", HEADER_VERSION_OFFSET, expected, String(version));
  }
  const kind = view.getUint32(HEADER_KIND_OFFSET, true);
  const known = kinds[kind];
  if (known === undefined) {
    const expected = Object.keys(kinds).map((each) => kindName(Number(each)));
    return wrong(
      "it is another structure",
      HEADER_KIND_OFFSET,
      expected.join(" or "),
      kindName(kind),
    );
  }
  const layoutHash = view.getUint32(HEADER_LAYOUT_HASH_OFFSET, true);
  if (layoutHash !== known.layoutHash) {
    const why = "another build made it, with another layout";
    wrong(why, HEADER_LAYOUT_HASH_OFFSET, hex(known.layoutHash), hex(layoutHash));
  }
  const dataOffset = view.getUint32(HEADER_DATA_OFFSET_OFFSET, true);
  const dataLength = view.getUint32(HEADER_DATA_LENGTH_OFFSET, true);
  if (dataOffset < SEGMENT_HEADER_LENGTH || dataOffset + dataLength > view.byteLength) {
    const why = "its data ends beyond the segment";
    const expected = `at most ${view.byteLength} bytes`;
    wrong(why, HEADER_DATA_LENGTH_OFFSET, expected, `${dataOffset} and ${dataLength} of data`);
  }
  if (dataOffset % SEGMENT_HEADER_LENGTH !== 0) {
    const expected = `a multiple of ${SEGMENT_HEADER_LENGTH}`;
    wrong("its data lie askew", HEADER_DATA_OFFSET_OFFSET, expected, String(dataOffset));
  }
  const parameters: number[] = [];
  for (let at = 0; at < PARAMETER_COUNT; at++) {
    parameters.push(view.getUint32(HEADER_PARAMETERS_OFFSET + at * 4, true));
  }
  return {
    kind,
    layoutHash,
    dataOffset,
    dataLength,
    parameters,
    codec: codecIdOf(codecBytes(view).slice()),
  };
}
