import { LayoutError } from "../errors.ts";
import {
  ATOMIC_CELL,
  ATOMIC_NAME,
  ATOMIC_NAME_MAX,
  CELL_LENGTH,
  KIND_COUNTER,
  KIND_WORD,
  NAME_ENTRY_LENGTH,
  NAME_KIND,
  NAME_LENGTH,
  NAME_TEXT,
  atomicsLength,
  cellsOffset,
} from "../layout/atomics-layout.ts";
import { layoutHash } from "../layout/description.ts";
import { SEGMENT_KINDS } from "../layout/segment-header.ts";
import { add, and, compareExchange, exchange, load, or, store } from "../memory/atomics.ts";
import type { Segment } from "../segment/segment.ts";
import { ADD_MAX, addToCounter, readCounter } from "./algorithm/split-counter.ts";
import {
  type NewHeader,
  Structure,
  type StructureCreateOptions,
  type StructureOpenOptions,
} from "../segment/old-structure.ts";

/**
 * A 32-bit word that any number of processes change, each change in one indivisible step. Values
 * are signed; arithmetic wraps around. Never blocks.
 */
export class SharedWord {
  readonly #words: Int32Array;
  readonly #index: number;

  /** @param byteOffset A multiple of 4. */
  constructor(segment: Segment, byteOffset: number) {
    this.#words = wordsOf(segment, byteOffset, 4);
    this.#index = byteOffset >> 2;
  }

  /** The value now. */
  load(): number {
    return load(this.#words, this.#index);
  }

  /** Sets the value; whoever loads it sees all that this process wrote before. */
  store(value: number): void {
    store(this.#words, this.#index, value);
  }

  /** Adds; returns the value before. */
  add(amount: number): number {
    return add(this.#words, this.#index, amount);
  }

  /** Bitwise and; returns the value before. */
  and(mask: number): number {
    return and(this.#words, this.#index, mask);
  }

  /** Bitwise or; returns the value before. */
  or(mask: number): number {
    return or(this.#words, this.#index, mask);
  }

  /** Sets the value; returns the one before. */
  exchange(value: number): number {
    return exchange(this.#words, this.#index, value);
  }

  /** Sets the value if it is `expected`; returns the one before, which tells whether it did. */
  compareExchange(expected: number, replacement: number): number {
    return compareExchange(this.#words, this.#index, expected, replacement);
  }
}

/**
 * A count that only grows, up to 2^63, exact as a number up to 2^53. An addition costs one 32-bit
 * atomic addition and no BigInt. Any number of processes add and read; nobody blocks.
 *
 * `value` is exact at one instant of the call. A process killed at any instant has added its amount
 * or has not; nothing else is lost. For what goes up and down use a SharedWord, or two counters.
 */
export class SharedCounter {
  readonly #words: Int32Array;
  readonly #index: number;

  /** @param byteOffset A multiple of 8; the counter takes 8 bytes, zero at first. */
  constructor(segment: Segment, byteOffset: number) {
    this.#words = wordsOf(segment, byteOffset, 8);
    this.#index = byteOffset >> 2;
  }

  /** Adds. @param amount An integer from 0 to 2^24. @throws RangeError for another. */
  add(amount = 1): void {
    if (!Number.isInteger(amount) || amount < 0 || amount > ADD_MAX) {
      throw new RangeError(
        `Cannot add ${String(amount)} to a counter: it must be an integer from 0 to ${ADD_MAX}`,
      );
    }
    addToCounter(this.#words, this.#index, amount);
  }

  /** The count. */
  get value(): number {
    return readCounter(this.#words, this.#index);
  }
}

/** Which words and counters there are. */
export interface AtomicsNames<W extends string, C extends string> {
  /** Names of 32-bit words. */
  readonly words?: readonly W[];
  /** Names of counters. */
  readonly counters?: readonly C[];
}

const HASH = layoutHash(ATOMIC_NAME, ATOMIC_CELL);
const KINDS = { [SEGMENT_KINDS.atomics]: { layoutHash: HASH } };
const NAMES_MAX = 4096;

/**
 * Named atomic words and counters in one segment, 128 bytes apart, so that processes that change
 * different ones do not slow each other down.
 *
 * Any number of processes; nothing here blocks. What a crash leaves: each word as it was.
 *
 * @example
 * ```ts
 * const names = { words: ["paused"], counters: ["requests"] } as const;
 * using stats = SharedAtomics.create("/stats", names);
 * stats.counters.requests.add(1);
 * stats.words.paused.store(1);
 * // in another process:
 * using same = SharedAtomics.open("/stats", names);
 * console.log(same.counters.requests.value, same.words.paused.load()); // 1 1
 * stats.unlink();
 * ```
 */
export class SharedAtomics<
  W extends string = string,
  C extends string = string,
> implements Disposable {
  /** The words by name. */
  readonly words: Readonly<Record<W, SharedWord>>;
  /** The counters by name. */
  readonly counters: Readonly<Record<C, SharedCounter>>;
  readonly #structure: Structure;

  private constructor(structure: Structure, names: readonly Named[]) {
    const { segment, dataOffset } = structure;
    const cells = dataOffset + cellsOffset(names.length);
    const words: Record<string, SharedWord> = {};
    const counters: Record<string, SharedCounter> = {};
    for (const [at, { kind, name }] of names.entries()) {
      const offset = cells + at * CELL_LENGTH;
      if (kind === KIND_WORD) words[name] = new SharedWord(segment, offset);
      else counters[name] = new SharedCounter(segment, offset);
    }
    this.#structure = structure;
    this.words = words as Record<W, SharedWord>;
    this.counters = counters as Record<C, SharedCounter>;
  }

  /**
   * Makes the words and counters, all 0.
   *
   * @throws SystemError EEXIST, ENOSPC, EACCES; RangeError for a bad name.
   */
  static create<const W extends string = never, const C extends string = never>(
    target: string | Segment,
    names: AtomicsNames<W, C>,
    options: StructureCreateOptions = {},
  ): SharedAtomics<W, C> {
    const list = checkNames(names);
    const fill = (made: Structure): void => writeNames(made, list);
    const structure = Structure.create("atomics", target, headerOf(list), options, fill);
    return new SharedAtomics(structure, list);
  }

  /**
   * Attaches, or makes them: exactly one of those that come at once makes them.
   * @throws As `create` and `open`.
   */
  static openOrCreate<const W extends string = never, const C extends string = never>(
    target: string | Segment,
    names: AtomicsNames<W, C>,
    options: StructureCreateOptions = {},
  ): SharedAtomics<W, C> {
    const list = checkNames(names);
    const fill = (made: Structure): void => writeNames(made, list);
    const header = headerOf(list);
    const found = Structure.openOrCreate("atomics", target, KINDS, header, options, fill);
    return SharedAtomics.#attach(found, names);
  }

  /**
   * Attaches.
   *
   * @param names As the creator gave them. Without it, all that are there.
   * @throws LayoutError when one of them is missing, or something else lies there; SystemError
   *   ENOENT, EACCES.
   */
  static open<const W extends string = string, const C extends string = string>(
    target: string | Segment,
    names?: AtomicsNames<W, C>,
    options: StructureOpenOptions = {},
  ): SharedAtomics<W, C> {
    return SharedAtomics.#attach(Structure.open("atomics", target, KINDS, options), names);
  }

  static #attach<W extends string, C extends string>(
    structure: Structure,
    names: AtomicsNames<W, C> | undefined,
  ): SharedAtomics<W, C> {
    try {
      const found = readNames(structure);
      for (const { kind, name } of names === undefined ? [] : checkNames(names)) {
        if (found.some((each) => each.kind === kind && each.name === name)) continue;
        throw new LayoutError(`Cannot open ${structure.what}: a name is missing`, {
          expected: JSON.stringify(name),
          found: found.map((each) => each.name).join(", "),
          offset: structure.dataOffset,
        });
      }
      return new SharedAtomics(structure, found);
    } catch (error) {
      structure.close();
      throw error;
    }
  }

  /** The segment in which they lie. */
  get segment(): Segment {
    return this.#structure.segment;
  }

  /** Removes the segment's name; who has it open keeps it. @returns Whether this call did. */
  unlink(): boolean {
    return this.segment.unlink();
  }

  /** Ends this handle's use, and its segment's if this handle opened it. The values stay. */
  close(): void {
    this.#structure.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

interface Named {
  readonly kind: number;
  readonly name: string;
}

function wordsOf({ buffer }: Segment, byteOffset: number, alignment: number): Int32Array {
  const end = buffer.byteLength - alignment;
  if (Number.isInteger(byteOffset) && byteOffset >= 0 && byteOffset <= end) {
    if (byteOffset % alignment === 0) return new Int32Array(buffer, 0, buffer.byteLength >> 2);
  }
  throw new RangeError(
    `Cannot use the word at offset ${String(byteOffset)}: it must be a multiple of ${alignment}, ` +
      `and at most ${end}`,
  );
}

function checkNames({ words = [], counters = [] }: AtomicsNames<string, string>): Named[] {
  const list = [
    ...words.map((name) => ({ kind: KIND_WORD, name })),
    ...counters.map((name) => ({ kind: KIND_COUNTER, name })),
  ];
  const refuse = (rule: string): never => {
    throw new RangeError(`Cannot name atomics: ${rule}`);
  };
  if (list.length < 1 || list.length > NAMES_MAX) {
    refuse(`there must be from 1 to ${NAMES_MAX}, not ${list.length}`);
  }
  const seen = new Set<string>();
  for (const { name } of list) {
    const length = Buffer.byteLength(name);
    if (length < 1 || length > ATOMIC_NAME_MAX || name === "__proto__") {
      refuse(`${JSON.stringify(name)} must have from 1 to ${ATOMIC_NAME_MAX} bytes`);
    }
    if (seen.has(name)) refuse(`${JSON.stringify(name)} is there twice`);
    seen.add(name);
  }
  return list;
}

function headerOf({ length }: readonly Named[]): NewHeader {
  const dataLength = atomicsLength(length);
  return { kind: SEGMENT_KINDS.atomics, layoutHash: HASH, dataLength, parameters: [length] };
}

function writeNames({ segment, dataOffset }: Structure, names: readonly Named[]): void {
  const { view, bytes } = segment;
  bytes.fill(0, dataOffset, dataOffset + atomicsLength(names.length));
  for (const [at, { kind, name }] of names.entries()) {
    const entry = dataOffset + at * NAME_ENTRY_LENGTH;
    const text = Buffer.from(name);
    view.setUint32(entry + NAME_KIND, kind, true);
    view.setUint32(entry + NAME_LENGTH, text.length, true);
    bytes.set(text, entry + NAME_TEXT);
  }
}

/** @throws LayoutError when the table is no table. */
function readNames({ what, segment, header }: Structure): Named[] {
  const { dataLength, dataOffset, parameters = [] } = header;
  const count = parameters[0]!;
  const wrong = (expected: string, found: number, offset: number): never => {
    const details = { expected, found: String(found), offset };
    throw new LayoutError(`Cannot open ${what}: its table of names is corrupt`, details);
  };
  if (count < 1 || count > NAMES_MAX) wrong(`1 to ${NAMES_MAX} names`, count, 32);
  if (dataLength !== atomicsLength(count)) wrong(`${atomicsLength(count)} bytes`, dataLength, 28);
  return Array.from({ length: count }, (_, at) => {
    const entry = dataOffset + at * NAME_ENTRY_LENGTH;
    const kind = segment.view.getUint32(entry + NAME_KIND, true);
    const length = segment.view.getUint32(entry + NAME_LENGTH, true);
    if (kind !== KIND_WORD && kind !== KIND_COUNTER) wrong("1 or 2", kind, entry + NAME_KIND);
    if (length < 1 || length > ATOMIC_NAME_MAX) {
      wrong(`1 to ${ATOMIC_NAME_MAX}`, length, entry + NAME_LENGTH);
    }
    const text = segment.bytes.slice(entry + NAME_TEXT, entry + NAME_TEXT + length);
    return { kind, name: Buffer.from(text).toString() };
  });
}
