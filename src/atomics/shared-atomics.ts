import { checkOptions, shown } from "../arguments.ts";
import { CELL_LENGTH, WORD_KIND, cellsOffset } from "../layout/atomics-layout.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import {
  STRUCTURE_OPTIONS,
  type StructureCreateOptions,
  type PlacedInitOptions,
  type StructureOpenOptions,
} from "../segment/placed-options.ts";
import { Segment } from "../segment/segment.ts";
import { StructureHandle } from "../segment/structure-handle.ts";
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

/** How to make words and counters in a segment of their own. */
export interface SharedAtomicsCreateOptions<W extends string, C extends string>
  extends StructureCreateOptions, AtomicsNames<W, C> {}

/** How to make words and counters inside the caller's segment. */
export interface SharedAtomicsInitOptions<W extends string, C extends string>
  extends PlacedInitOptions, AtomicsNames<W, C> {}

/** How to find words and counters that have a segment of their own; by default, all of them. */
export interface SharedAtomicsOpenOptions<W extends string, C extends string>
  extends StructureOpenOptions, AtomicsNames<W, C> {}

const NAMES: readonly string[] = ["words", "counters"];

/**
 * Named atomic words and counters in shared memory. They lie 128 bytes apart, so that processes
 * that change different ones do not slow each other down.
 *
 * Any number of processes use them at the same time, and no operation on them blocks. What a crash
 * leaves: each change was made as a whole, or not at all.
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
> extends StructureHandle {
  /** The words by name. Once this handle is closed, they throw a ClosedError. */
  readonly words: Readonly<Record<W, SharedWord>>;
  /** The counters by name. Once this handle is closed, they throw a ClosedError. */
  readonly counters: Readonly<Record<C, SharedCounter>>;
  readonly #structure: Structure;
  readonly #cells: Cells;

  private constructor(structure: Structure, names: readonly Named[]) {
    Structure.check(structure, "SharedAtomics");
    super(structure.placed);
    const start = structure.dataOffset + cellsOffset(names.length);
    const cells = new Cells(structure.what, structure.segment);
    const words: Record<string, SharedWord> = {};
    const counters: Record<string, SharedCounter> = {};
    for (const [at, { kind, name }] of names.entries()) {
      const offset = start + at * CELL_LENGTH;
      if (kind === WORD_KIND) words[name] = SharedWord.of(cells, offset);
      else counters[name] = SharedCounter.of(cells, offset);
    }
    this.#structure = structure;
    this.#cells = cells;
    this.words = words as Record<W, SharedWord>;
    this.counters = counters as Record<C, SharedCounter>;
  }

  /**
   * Makes words and counters, all 0, in a segment of their own. Does not block.
   *
   * @param name The segment's name, as `Segment.create` takes it.
   * @returns A handle to close.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES.
   * @throws RangeError, TypeError for bad names or options.
   */
  static create<const W extends string = never, const C extends string = never>(
    name: string,
    options: SharedAtomicsCreateOptions<W, C>,
  ): SharedAtomics<W, C> {
    const action = `Cannot create atomics ${shown(name)}`;
    const list = checkNewOptions(action, options, ...STRUCTURE_OPTIONS.create);
    const header = atomicsHeader(list.length);
    return Structure.create(ATOMICS_KIND, name, header, options, SharedAtomics.#filler(list));
  }

  /**
   * Finds words and counters that have a segment of their own. Blocks for `waitMs` while there is
   * no such name, and while their creator is at work, which `waitMs` bounds too (half a minute
   * without it).
   *
   * @returns A handle to close.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when one of the names is missing, or something else has the segment's name;
   *   StateError ENODATA when it is unfinished, and nobody makes it.
   * @throws RangeError, TypeError for bad names or options.
   */
  static open<const W extends string = string, const C extends string = string>(
    name: string,
    options: SharedAtomicsOpenOptions<W, C> = {},
  ): SharedAtomics<W, C> {
    const action = `Cannot open atomics ${shown(name)}`;
    const list = checkFindOptions(action, options, ...STRUCTURE_OPTIONS.open);
    return Structure.open(ATOMICS_KIND, name, options, SharedAtomics.#finder(list));
  }

  /**
   * Finds words and counters, or makes them: exactly one of several callers at the same time makes
   * them, and `created` says which. Blocks like `open` while another caller is at work.
   *
   * @returns A handle to close.
   * @throws The errors of `create` and `open`, except EEXIST and ENOENT.
   */
  static openOrCreate<const W extends string = never, const C extends string = never>(
    name: string,
    options: SharedAtomicsCreateOptions<W, C> & OwnerOptions,
  ): SharedAtomics<W, C> {
    const action = `Cannot open or create atomics ${shown(name)}`;
    const list = checkNewOptions(action, options, ...STRUCTURE_OPTIONS.openOrCreate);
    const [fill, find] = [SharedAtomics.#filler<W, C>(list), SharedAtomics.#finder<W, C>(list)];
    const header = atomicsHeader(list.length);
    return Structure.openOrCreate(ATOMICS_KIND, name, header, options, fill, find);
  }

  /**
   * Makes words and counters, all 0, inside the caller's segment. Blocks for half a minute at most,
   * while another process makes some there.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws StateError EEXIST when some are there, unless `overwrite` is set.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
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

  /**
   * Finds words and counters inside the caller's segment. Blocks while their maker lives and is at
   * work, for half a minute at most.
   *
   * @param offset Bytes from the segment's start; a multiple of 128.
   * @returns A handle; closing it leaves the segment open.
   * @throws LayoutError when one of the names is missing, or something else is there; StateError
   *   ENODATA when nothing is there, or their maker died half way.
   * @throws RangeError, TypeError for bad options or a place that cannot be.
   */
  static at<const W extends string = string, const C extends string = string>(
    segment: Segment,
    offset: number,
    options: AtomicsNames<W, C> = {},
  ): SharedAtomics<W, C> {
    const list = checkFindOptions("Cannot find atomics", options);
    return Structure.at(ATOMICS_KIND, segment, offset, SharedAtomics.#finder(list));
  }

  /** @returns The bytes that they take in a segment. @throws RangeError, TypeError. */
  static byteLength(options: SharedAtomicsInitOptions<string, string>): number {
    const list = checkNewOptions("Cannot measure atomics", options, "overwrite");
    return structureLength(atomicsHeader(list.length));
  }

  /** @returns The function that fills new ones. */
  static #filler<W extends string, C extends string>(list: readonly Named[]) {
    return (structure: Structure): SharedAtomics<W, C> => {
      writeNames(structure, list);
      return new SharedAtomics(structure, list);
    };
  }

  /** @returns The function that makes a handle of those that were found. */
  static #finder<W extends string, C extends string>(asked: readonly Named[]) {
    return (structure: Structure): SharedAtomics<W, C> => {
      const found = readNames(structure);
      mustHaveNames(structure, found, asked);
      return new SharedAtomics(structure, found);
    };
  }

  /**
   * Closes this handle with its words and counters, and the segment if this handle opened it. The
   * values stay. Does nothing when called again.
   */
  close(): void {
    this.#structure.placed.close();
    this.#cells.close();
  }
}

function checkNewOptions(action: string, options: unknown, ...own: readonly string[]): Named[] {
  checkOptions(action, options, [...NAMES, ...own]);
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
