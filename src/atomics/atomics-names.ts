/** The table of names, which says which words and counters there are. */
import { checkWellFormed, shown } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import {
  ATOMIC_CELL,
  ATOMIC_NAME,
  MAX_ATOMIC_NAME_LENGTH,
  COUNTER_KIND,
  WORD_KIND,
  NAME_ENTRY_LENGTH,
  NAME_KIND_OFFSET,
  NAME_LENGTH_OFFSET,
  NAME_TEXT_OFFSET,
  atomicsLength,
} from "../layout/atomics-layout.ts";
import { layoutHash } from "../layout/description.ts";
import { HEADER_PARAMETERS_OFFSET, SEGMENT_KINDS } from "../layout/segment-header.ts";
import { accessesPlainly } from "../memory/atomics.ts";
import type { NewHeader, Structure, StructureKind } from "../segment/structure.ts";

/** Which words and counters there are. */
export interface AtomicsNames<W extends string, C extends string> {
  /** Names of 32-bit words. */
  readonly words?: readonly W[] | undefined;
  /** Names of counters. */
  readonly counters?: readonly C[] | undefined;
}

/** One entry of the table of names. */
export interface Named {
  readonly kind: number;
  readonly name: string;
}

const HASH = layoutHash(ATOMIC_NAME, ATOMIC_CELL);
const MAX_NAMES = 4096;

export const ATOMICS_KIND: StructureKind = {
  noun: "atomics",
  kinds: { [SEGMENT_KINDS.atomics]: { layoutHash: HASH } },
  // A private mapping shows what others write until it is written to, by a look too.
  readable: accessesPlainly(),
};

/** @returns The checked names: words first. @throws TypeError, RangeError that show the bad one. */
export function checkNames(
  action: string,
  { words = [], counters = [] }: AtomicsNames<string, string>,
): Named[] {
  const list = [
    ...namesOf(action, "words", words, WORD_KIND),
    ...namesOf(action, "counters", counters, COUNTER_KIND),
  ];
  if (list.length < 1 || list.length > MAX_NAMES) {
    const rule = `words and counters must have 1 to ${MAX_NAMES} names together`;
    throw new RangeError(`${action}: ${rule}, not ${list.length}`);
  }
  const seen = new Set<string>();
  for (const { name } of list) {
    if (seen.has(name)) throw new RangeError(`${action}: the name ${shown(name)} is there twice`);
    seen.add(name);
  }
  return list;
}

function namesOf(action: string, option: string, names: unknown, kind: number): Named[] {
  if (!Array.isArray(names)) {
    throw new TypeError(`${action}: ${option} must be an array of names, not ${shown(names)}`);
  }
  return names.map((name: unknown) => {
    if (typeof name !== "string") {
      throw new TypeError(`${action}: a name in ${option} must be text, not ${shown(name)}`);
    }
    checkWellFormed(action, `a name in ${option}`, name);
    const length = Buffer.byteLength(name);
    if (length >= 1 && length <= MAX_ATOMIC_NAME_LENGTH && name !== "__proto__")
      return { kind, name };
    const rule = `a name in ${option} must have 1 to ${MAX_ATOMIC_NAME_LENGTH} bytes`;
    throw new RangeError(`${action}: ${rule}, and not be "__proto__"; this is ${shown(name)}`);
  });
}

/** @returns The header for this many words and counters. */
export function atomicsHeader(count: number): NewHeader {
  const dataLength = atomicsLength(count);
  return { kind: SEGMENT_KINDS.atomics, layoutHash: HASH, dataLength, parameters: [count] };
}

/** Writes the table of names, and 0 to all cells. */
export function writeNames({ segment, dataOffset }: Structure, names: readonly Named[]): void {
  const { view, bytes } = segment;
  bytes.fill(0, dataOffset, dataOffset + atomicsLength(names.length));
  for (const [at, { kind, name }] of names.entries()) {
    const entry = dataOffset + at * NAME_ENTRY_LENGTH;
    const text = Buffer.from(name);
    view.setUint32(entry + NAME_KIND_OFFSET, kind, true);
    view.setUint32(entry + NAME_LENGTH_OFFSET, text.length, true);
    bytes.set(text, entry + NAME_TEXT_OFFSET);
  }
}

/** Reads the table of names. @throws LayoutError when it is corrupt. */
export function readNames({ what, segment, header, placed, dataOffset }: Structure): Named[] {
  const { dataLength, parameters = [] } = header;
  const count = parameters[0] ?? 0;
  const wrong = (expected: string, found: number, offset: number): never => {
    const details = { expected, found: String(found), offset };
    throw new LayoutError(`Cannot open ${what}: its table of names is corrupt`, details);
  };
  const countOffset = placed.offset + HEADER_PARAMETERS_OFFSET;
  if (count < 1 || count > MAX_NAMES) wrong(`1 to ${MAX_NAMES} names`, count, countOffset);
  if (dataLength !== atomicsLength(count)) {
    wrong(`as many names as fill its ${dataLength} bytes`, count, countOffset);
  }
  return Array.from({ length: count }, (_, at) => {
    const entry = dataOffset + at * NAME_ENTRY_LENGTH;
    const kind = segment.view.getUint32(entry + NAME_KIND_OFFSET, true);
    const length = segment.view.getUint32(entry + NAME_LENGTH_OFFSET, true);
    if (kind !== WORD_KIND && kind !== COUNTER_KIND) {
      wrong(`${WORD_KIND} (word) or ${COUNTER_KIND} (counter)`, kind, entry + NAME_KIND_OFFSET);
    }
    if (length < 1 || length > MAX_ATOMIC_NAME_LENGTH) {
      wrong(`1 to ${MAX_ATOMIC_NAME_LENGTH} bytes`, length, entry + NAME_LENGTH_OFFSET);
    }
    const text = segment.bytes.slice(entry + NAME_TEXT_OFFSET, entry + NAME_TEXT_OFFSET + length);
    return { kind, name: Buffer.from(text).toString() };
  });
}

/** @throws LayoutError when a name that the caller asked for is missing. */
export function mustHaveNames(
  { what, dataOffset }: Structure,
  found: readonly Named[],
  asked: readonly Named[],
): void {
  const spell = ({ kind, name }: Named): string =>
    `${kind === WORD_KIND ? "word" : "counter"} ${shown(name)}`;
  for (const { kind, name } of asked) {
    if (found.some((each) => each.kind === kind && each.name === name)) continue;
    throw new LayoutError(`Cannot open ${what}: a name is missing`, {
      expected: spell({ kind, name }),
      found: found.map(spell).join(", "),
      offset: dataOffset,
    });
  }
}
