/** The five ways in which every kind of lock is made and found. */
import { checkOptions, one, shown } from "../arguments.ts";
import { type Mark, clearMarked, isMarked, makingOf, publishMark } from "../layout/lock-marks.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import { Placed, type PlacedKind } from "../segment/placed.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed-options.ts";
import type { Segment } from "../segment/segment.ts";

/**
 * What differs between kinds of lock. `T` is the handle's type; `Make` and `Find` are the types of
 * the options that only this kind has.
 */
interface Details<T, Make extends Find, Find> {
  readonly mark: Mark;
  /** The names of the options in `Make`. */
  readonly makes: readonly string[];
  /** The names of the options in `Find`. */
  readonly finds: readonly string[];
  /** How many bytes the smallest one takes. */
  readonly leastLength: number;
  /** How many bytes one with these options takes. @throws RangeError, TypeError. */
  byteLength(action: string, options: Make): number;
  /** Runs before anything is made or opened. @throws TypeError, RangeError, UnsupportedError. */
  check(action: string, options: Find): void;
  /** Fills in the words, which are all 0. */
  make(placed: Placed, words: Int32Array, options: Make): T;
  /** Checks what was found, and makes its handle. @throws LayoutError. */
  find(placed: Placed, options: Find): T;
}

/** One kind of lock. Its methods are those of the nouns, where they are documented. */
export class LockKind<T, Make extends Find, Find extends object = Make> {
  readonly #details: Details<T, Make, Find>;
  readonly #kind: PlacedKind;

  constructor(details: Details<T, Make, Find>) {
    const { mark } = details;
    this.#details = details;
    this.#kind = {
      noun: mark.noun,
      family: mark.noun,
      readable: false,
      making: makingOf(mark),
      isReady: (words, what, offset) => isMarked(mark, words, what, offset),
    };
  }

  /** How many bytes one with these options takes. @throws RangeError, TypeError. */
  byteLength(options: Make = {} as Make): number {
    const action = `Cannot measure ${this.#one}`;
    checkOptions(action, options, this.#details.makes);
    return this.#details.byteLength(action, options);
  }

  create(name: string, options: Make & PlacedCreateOptions = {} as Make): T {
    const byteLength = this.#toMake(`create ${this.#named(name)}`, options, ["mode"]);
    const make = this.#maker(byteLength, options);
    return Placed.create(this.#kind, name, byteLength, options, make);
  }

  open(name: string, options: Find & PlacedOpenOptions = {} as Find): T {
    this.#toFind(`open ${this.#named(name)}`, options, ["waitMs", "owner"]);
    return Placed.open(this.#kind, name, options, this.#finder(options));
  }

  openOrCreate(name: string, options: Make & PlacedCreateOptions & OwnerOptions = {} as Make): T {
    const verb = `open or create ${this.#named(name)}`;
    const byteLength = this.#toMake(verb, options, ["mode", "owner"]);
    const [make, find] = [this.#maker(byteLength, options), this.#finder(options)];
    return Placed.openOrCreate(this.#kind, name, byteLength, options, make, find);
  }

  init(segment: Segment, offset: number, options: Make & PlacedInitOptions = {} as Make): T {
    const byteLength = this.#toMake(`make ${this.#one}`, options, ["overwrite"]);
    const make = this.#maker(byteLength, options);
    return Placed.init(this.#kind, segment, offset, byteLength, options, make);
  }

  at(segment: Segment, offset: number, options: Find = {} as Find): T {
    this.#toFind(`find ${this.#one}`, options, []);
    const { leastLength } = this.#details;
    return Placed.at(this.#kind, segment, offset, leastLength, this.#finder(options));
  }

  /** The noun with its article, as in "an event". */
  get #one(): string {
    return one(this.#kind.noun);
  }

  #named(name: string): string {
    return `${this.#kind.noun} ${shown(name)}`;
  }

  /** Checks the options. @returns How many bytes the lock takes. */
  #toMake(verb: string, options: Make, more: readonly string[]): number {
    const action = `Cannot ${verb}`;
    checkOptions(action, options, [...this.#details.makes, ...more]);
    this.#details.check(action, options);
    return this.#details.byteLength(action, options);
  }

  #toFind(verb: string, options: Find, more: readonly string[]): void {
    const action = `Cannot ${verb}`;
    checkOptions(action, options, [...this.#details.finds, ...more]);
    this.#details.check(action, options);
  }

  #maker(byteLength: number, options: Make): (placed: Placed) => T {
    const { mark, make } = this.#details;
    return (placed) => {
      const words = placed.words(byteLength);
      // Clears what was there before, and what a maker that died left half done.
      if (!placed.fresh) clearMarked(words, mark);
      const made = make(placed, words, options);
      publishMark(words, mark);
      return made;
    };
  }

  #finder(options: Find): (placed: Placed) => T {
    return (placed) => this.#details.find(placed, options);
  }
}
