/**
 * The first 128 bytes of every structured segment: what it is, and whether it is finished.
 *
 * The creator fills everything else in, and writes `magic` last. An opener that reads the magic
 * therefore sees all that the creator wrote before (SYNC header-ready: the atomic store of `magic`
 * in `publishHeader` pairs with the atomic load in `isHeaderReady`).
 */
import { LayoutError } from "../errors.ts";
import { load, store } from "../memory/atomics.ts";
import { type Layout, u32 } from "./description.ts";

/** "BSHM" as bytes in memory. */
export const SEGMENT_MAGIC = 0x4d485342;
/** Counts incompatible changes of the binary contract as a whole. */
export const SEGMENT_VERSION = 1;
/** Bytes; the structure's own fields come after. */
export const SEGMENT_HEADER_LENGTH = 128;

/** Offsets in bytes. */
export const HEADER_MAGIC = 0;
export const HEADER_VERSION = 4;
export const HEADER_CREATOR_PID = 8;
export const HEADER_STATE = 12;
export const HEADER_KIND = 16;
export const HEADER_LAYOUT_HASH = 20;
export const HEADER_DATA_OFFSET = 24;
export const HEADER_DATA_LENGTH = 28;
export const HEADER_PARAMETERS = 32;

/** How many numbers of its own a kind can keep in the header. */
export const HEADER_PARAMETER_COUNT = 8;

/** `state`: in use. */
export const STATE_OPEN = 1;
/** `state`: whoever finds it should make a new one; for structures that can be retired. */
export const STATE_RETIRED = 2;

/** What `kind` says. A number is never used again for another layout. */
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
} as const;

export const SEGMENT_HEADER: Layout = {
  name: "segment_header",
  text: "Starts every structured segment. Written once, by the creator; `state` may change.",
  length: SEGMENT_HEADER_LENGTH,
  fields: [
    u32("magic", HEADER_MAGIC, '"BSHM". Written last, with release: all else is valid then.'),
    u32("version", HEADER_VERSION, "Of the binary contract."),
    u32("creator_pid", HEADER_CREATOR_PID, "For people; nothing relies on it."),
    u32("state", HEADER_STATE, "1 open, 2 retired."),
    u32("kind", HEADER_KIND, "Which structure this is."),
    u32("layout_hash", HEADER_LAYOUT_HASH, "FNV-1a over the fields of the structure's layout."),
    u32("data_offset", HEADER_DATA_OFFSET, "Bytes from the start of the segment to the data."),
    u32("data_length", HEADER_DATA_LENGTH, "Bytes of data."),
    u32("parameters", HEADER_PARAMETERS, "Of the kind.", HEADER_PARAMETER_COUNT),
  ],
};

/** What a header says of its segment. */
export interface SegmentHeader {
  readonly kind: number;
  readonly layoutHash: number;
  /** Bytes from the start of the segment to the data. */
  readonly dataOffset: number;
  /** Bytes of data. */
  readonly dataLength: number;
  /** At most 8 numbers of 32 bits; the rest is 0. */
  readonly parameters?: readonly number[];
}

/** Fills everything in but the magic. */
export function writeHeader(view: DataView, header: SegmentHeader, creatorPid: number): void {
  view.setUint32(HEADER_VERSION, SEGMENT_VERSION, true);
  view.setUint32(HEADER_CREATOR_PID, creatorPid, true);
  view.setUint32(HEADER_STATE, STATE_OPEN, true);
  view.setUint32(HEADER_KIND, header.kind, true);
  view.setUint32(HEADER_LAYOUT_HASH, header.layoutHash, true);
  view.setUint32(HEADER_DATA_OFFSET, header.dataOffset, true);
  view.setUint32(HEADER_DATA_LENGTH, header.dataLength, true);
  for (let at = 0; at < HEADER_PARAMETER_COUNT; at++) {
    view.setUint32(HEADER_PARAMETERS + at * 4, header.parameters?.[at] ?? 0, true);
  }
}

/** Says that the segment is finished. SYNC header-ready: pairs with `isHeaderReady`. */
export function publishHeader(words: Int32Array): void {
  store(words, HEADER_MAGIC >> 2, SEGMENT_MAGIC);
}

/**
 * Whether the creator has finished. SYNC header-ready: pairs with `publishHeader`.
 *
 * @throws LayoutError when something else than a structured segment is there.
 */
export function isHeaderReady(words: Int32Array): boolean {
  if (words.length < SEGMENT_HEADER_LENGTH >> 2) {
    throw new LayoutError("The segment is too small for a structure", {
      expected: `${SEGMENT_HEADER_LENGTH} bytes`,
      found: `${words.length << 2}`,
      offset: 0,
    });
  }
  const magic = load(words, HEADER_MAGIC >> 2);
  if (magic === SEGMENT_MAGIC) return true;
  if (magic === 0) return false;
  return wrong("The segment is no structure of this package", HEADER_MAGIC, SEGMENT_MAGIC, magic);
}

/**
 * Reads a finished header, and checks it against what the caller's build would write: version, kind
 * (one of `kinds`), hash, and that the data lies inside the segment.
 *
 * @throws LayoutError with both values and the offset of the first that is wrong.
 */
export function readHeader(
  view: DataView,
  what: string,
  kinds: Readonly<Record<number, { readonly layoutHash: number }>>,
): SegmentHeader {
  const version = view.getUint32(HEADER_VERSION, true);
  if (version !== SEGMENT_VERSION) {
    wrong(`Cannot open ${what}: another version made it`, HEADER_VERSION, SEGMENT_VERSION, version);
  }
  const kind = view.getUint32(HEADER_KIND, true);
  const known = kinds[kind];
  if (known === undefined) {
    const expected = Object.keys(kinds).join(" or ");
    wrong(`Cannot open ${what}: it is another structure`, HEADER_KIND, expected, kind);
  }
  const layoutHash = view.getUint32(HEADER_LAYOUT_HASH, true);
  if (layoutHash !== known.layoutHash) {
    const message = `Cannot open ${what}: another build made it, with another layout`;
    wrong(message, HEADER_LAYOUT_HASH, known.layoutHash, layoutHash);
  }
  const dataOffset = view.getUint32(HEADER_DATA_OFFSET, true);
  const dataLength = view.getUint32(HEADER_DATA_LENGTH, true);
  if (dataOffset < SEGMENT_HEADER_LENGTH || dataOffset + dataLength > view.byteLength) {
    const expected = `an end of at most ${view.byteLength}`;
    wrong(`Cannot open ${what}`, HEADER_DATA_LENGTH, expected, dataOffset + dataLength);
  }
  const parameters: number[] = [];
  for (let at = 0; at < HEADER_PARAMETER_COUNT; at++) {
    parameters.push(view.getUint32(HEADER_PARAMETERS + at * 4, true));
  }
  return { kind, layoutHash, dataOffset, dataLength, parameters };
}

function wrong(message: string, offset: number, expected: number | string, found: number): never {
  const say = (value: number | string): string =>
    typeof value === "string" ? value : `0x${(value >>> 0).toString(16)}`;
  throw new LayoutError(message, { expected: say(expected), found: say(found), offset });
}
