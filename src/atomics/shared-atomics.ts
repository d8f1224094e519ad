import { checkOptions, shown } from "../arguments.ts";
import { CELL_LENGTH, KIND_WORD, cellsOffset } from "../layout/atomics-layout.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed.ts";
import { Segment } from "../segment/segment.ts";
import { Structure, structureLength } from "../segment/structure.ts";
import {
  ATOMICS_KIND,
  type AtomicsNames,
  type Named,
  atomicsHeader,
  checkNames,
  mustHaveNames,
  readNames,
  writeNames,
} from "./atomics-names.ts";
import { Cells } from "./cells.ts";
import { SharedCounter } from "./shared-counter.ts";
import { SharedWord } from "./shared-word.ts";

/** How words and counters of a segment of their own are made. */
export interface SharedAtomicsCreateOptions<W extends string, C extends string>
  extends PlacedCreateOptions, AtomicsNames<W, C> {}

/** How words and counters are made inside a segment of the user's. */
export interface SharedAtomicsInitOptions<W extends string, C extends string>
  extends PlacedInitOptions, AtomicsNames<W, C> {}

/** How words and counters are found; without names, all that are there. */
export interface SharedAtomicsOpenOptions<W extends string, C extends string>
  extends PlacedOpenOptions, AtomicsNames<W, C> {}

const NAMES: readonly string[] = ["words", "counters"];

/**
 * Named atomic words and counters, 128 bytes apart, so that processes that change different ones do
 * not slow each other down.
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
  /** The words by name. They end with this handle. */
  readonly words: Readonly<Record<W, SharedWord>>;
  /** The counters by name. They end with this handle. */
  readonly counters: Readonly<Record<C, SharedCounter>>;
  readonly #structure: Structure;
  readonly #cells: Cells;

  private constructor(structure: Structure, names: readonly Named[]) {
    Structure.check(structure, "SharedAtomics");
    const start = structure.dataOffset + cellsOffset(names.length);
    const cells = new Cells(structure.what, structure.segment);
    const words: Record<string, SharedWord> = {};
    const counters: Record<string, SharedCounter> = {};
    for (const [at, { kind, name }] of names.entries()) {
      const offset = start + at * CELL_LENGTH;
      if (kind === KIND_WORD) words[name] = SharedWord.of(cells, offset);
      else counters[name] = SharedCounter.of(cells, offset);
    }
    this.#structure = structure;
    this.#cells = cells;
    this.words = words as Record<W, SharedWord>;
    this.counters = counters as Record<C, SharedCounter>;
  }

  /**
   * Makes words and counters, all 0, in a segment of their own.
   *
   * @throws SystemError EEXIST, ENOSPC, EACCES; RangeError, TypeError for bad names or options.
   */
  static create<const W extends string = never, const C extends string = never>(
    name: string,
    options: SharedAtomicsCreateOptions<W, C>,
  ): SharedAtomics<W, C> {
    const action = `Cannot create atomics ${shown(name)}`;
    const list = checkNewOptions(action, options, "mode");
    const header = atomicsHeader(list.length);
    return Structure.create(ATOMICS_KIND, name, header, options, SharedAtomics.#filler(list));
  }

  /**
   * Finds words and counters that have a segment of their own.
   *
   * @throws LayoutError when a name is missing, or something else lies there; SystemError ENOENT,
   *   EACCES; StateError ENODATA.
   */
  static open<const W extends string = string, const C extends string = string>(
    name: string,
    options: SharedAtomicsOpenOptions<W, C> = {},
  ): SharedAtomics<W, C> {
    const list = checkFindOptions(`Cannot open atomics ${shown(name)}`, options, "waitMs");
    return Structure.open(ATOMICS_KIND, name, options, SharedAtomics.#finder(list));
  }

  /**
   * Finds them, or makes them: exactly one of those that come at once makes them.
   * @throws As `create` and `open`.
   */
  static openOrCreate<const W extends string = never, const C extends string = never>(
    name: string,
    options: SharedAtomicsCreateOptions<W, C>,
  ): SharedAtomics<W, C> {
    const action = `Cannot open or create atomics ${shown(name)}`;
    const list = checkNewOptions(action, options, "mode");
    const [fill, find] = [SharedAtomics.#filler<W, C>(list), SharedAtomics.#finder<W, C>(list)];
    const header = atomicsHeader(list.length);
    return Structure.openOrCreate(ATOMICS_KIND, name, header, options, fill, find);
  }

  /** Removes the name; who has them open keeps them. @returns Whether there was one. */
  static unlink(name: string): boolean {
    return Segment.unlink(name);
  }

  /**
   * Makes words and counters, all 0, inside a segment of the user's.
   *
   * @param offset A multiple of 128, in bytes.
   * @throws StateError EEXIST when some are there; RangeError, TypeError for bad options or a place
   *   that cannot be.
   */
  static init<const W extends string = never, const C extends string = never>(
    segment: Segment,
    offset: number,
    options: SharedAtomicsInitOptions<W, C>,
  ): SharedAtomics<W, C> {
    const list = checkNewOptions("Cannot make atomics", options, "overwrite");
    const header = atomicsHeader(list.length);
    const fill = SharedAtomics.#filler<W, C>(list);
    return Structure.init(ATOMICS_KIND, segment, offset, header, options, fill);
  }

  /** Finds words and counters inside a segment of the user's. @throws As `open`. */
  static at<const W extends string = string, const C extends string = string>(
    segment: Segment,
    offset: number,
    options: AtomicsNames<W, C> = {},
  ): SharedAtomics<W, C> {
    const list = checkFindOptions("Cannot find atomics", options);
    return Structure.at(ATOMICS_KIND, segment, offset, SharedAtomics.#finder(list));
  }

  /** Bytes that words and counters of these names take. */
  static byteLength(options: SharedAtomicsInitOptions<string, string>): number {
    const list = checkNewOptions("Cannot measure atomics", options, "overwrite");
    return structureLength(atomicsHeader(list.length));
  }

  /** How new ones are filled. */
  static #filler<W extends string, C extends string>(list: readonly Named[]) {
    return (structure: Structure): SharedAtomics<W, C> => {
      writeNames(structure, list);
      return new SharedAtomics(structure, list);
    };
  }

  /** How those are taken that were found. */
  static #finder<W extends string, C extends string>(asked: readonly Named[]) {
    return (structure: Structure): SharedAtomics<W, C> => {
      const found = readNames(structure);
      mustHaveNames(structure, found, asked);
      return new SharedAtomics(structure, found);
    };
  }

  /** The name of their segment. */
  get name(): string {
    return this.#structure.placed.name;
  }

  /** The segment in which they lie. */
  get segment(): Segment {
    return this.#structure.segment;
  }

  /** Where they lie in the segment, in bytes. */
  get offset(): number {
    return this.#structure.placed.offset;
  }

  /** Whether this handle made them. */
  get created(): boolean {
    return this.#structure.placed.created;
  }

  /** Whether this handle, or its segment, was closed. */
  get closed(): boolean {
    return this.#structure.placed.closed;
  }

  /** Removes the segment's name; who has it open keeps it. @returns Whether this call did. */
  unlink(): boolean {
    return this.#structure.placed.unlink();
  }

  /** Ends the use of all its words and counters, which keep their values for others. */
  close(): void {
    this.#structure.placed.close();
    this.#cells.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function checkNewOptions(action: string, options: unknown, own: string): Named[] {
  checkOptions(action, options, [...NAMES, own]);
  return checkNames(action, Object(options) as AtomicsNames<string, string>);
}

function checkFindOptions(
  action: string,
  options: AtomicsNames<string, string>,
  ...own: readonly string[]
): Named[] {
  checkOptions(action, options, [...NAMES, ...own]);
  const { words, counters } = options;
  return words === undefined && counters === undefined ? [] : checkNames(action, options);
}
