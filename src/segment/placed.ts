/** How something that lies in a segment is made once, and found by everybody else. */
import { checkBoolean, hex, shown, one } from "../arguments.ts";
import { ClosedError, LayoutError, StateError } from "../errors.ts";
import { MAKER_BYTE } from "../layout/lock-bytes.ts";
import { MAKING, type Making } from "../layout/making.ts";
import { refuseOther } from "../layout/recognition.ts";
import { load, store, wordsOf } from "../memory/atomics.ts";
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { ObjectMark } from "../memory/objects/shared-object.ts";
import { type MakerDeadlines, deadlinesFor, waitForMaker } from "../waiting/patience.ts";
import { checkAccess, checkPlace } from "./place.ts";
import type {
  PlacedInitOptions,
  StructureOpenOptions,
  StructureCreateOptions,
} from "./placed-options.ts";
import { quietly } from "./quietly.ts";
import { Segment } from "./segment.ts";

/** One kind of thing that can lie in a segment. */
export interface PlacedKind {
  /** For messages: "mutex". */
  readonly noun: string;
  /** Whether it can be used in a segment that was opened for reading only. */
  readonly readable: boolean;
  /** As what it is recognised: its noun, or `HEADED`. */
  readonly family: string;
  /** How an unfinished one is known. */
  readonly making: Making;
  /**
   * Whether a finished one lies there, and no other structure of this package, as was seen before.
   *
   * @param words The words from its start to the end of the segment.
   * @throws LayoutError when something else lies there.
   */
  isReady(words: Int32Array, what: string, offset: number): boolean;
}

const CLOSED = new Uint8Array(0);
const IS_BEING_MADE = "a live process is still making it";

/** A place in a segment, and the life of the handle that uses it. */
export class Placed {
  readonly segment: Segment;
  /** Bytes from the segment's start. */
  readonly offset: number;
  /** Whether this handle made what lies there. */
  readonly created: boolean;
  /** For messages: `mutex "/x"`, or `mutex at 128 in segment "/x"`. */
  readonly what: string;
  readonly #kind: PlacedKind;
  /** Whether the segment was opened for this handle, and is closed with it. */
  readonly #owned: boolean;
  /** Has the length 1 while this is open and 0 once detached; reading that costs nothing. */
  #probe: Uint8Array;

  private constructor(
    kind: PlacedKind,
    segment: Segment,
    offset: number,
    owned: boolean,
    created: boolean,
  ) {
    this.#kind = kind;
    this.segment = segment;
    this.offset = offset;
    this.created = created;
    this.#owned = owned;
    this.#probe = new Uint8Array(segment.buffer, offset, 1);
    this.what = describe(kind, segment, offset, owned);
  }

  /**
   * Makes it in a segment of its own.
   *
   * @param make Writes everything, and last what `isReady` looks for. If it throws, the segment is
   *   removed.
   * @throws SystemError EEXIST when the name is taken, ENOSPC, EACCES; StateError EEXIST when
   *   another process made one there between two of this call's steps.
   */
  static create<T>(
    kind: PlacedKind,
    name: string,
    byteLength: number,
    options: StructureCreateOptions,
    make: (placed: Placed) => T,
  ): T {
    const { mode, prefault, hugePages } = options;
    const size = byteLength;
    const segment = Segment.make(name, { size, mode, prefault, hugePages }, markOf(kind));
    const made = Placed.#makeOwned(kind, segment, byteLength, make);
    if (made !== undefined) return made;
    segment.close();
    const what = describe(kind, segment, 0, true);
    throw new StateError("EEXIST", `Cannot create ${what}: another process has made it meanwhile`);
  }

  /**
   * Finds one that has a segment of its own, and waits for one that is being made.
   * @throws SystemError ENOENT; LayoutError when it is something else; StateError ENODATA, EPERM
   *   when it is another user's.
   */
  static open<T>(
    kind: PlacedKind,
    name: string,
    options: StructureOpenOptions,
    find: (placed: Placed) => T,
  ): T {
    const { waitMs, owner, access, prefault, hugePages } = options;
    const until = deadlinesFor(waitMs);
    checkAccess(kind, name, access);
    const asked = { waitMs, owner, access, prefault, hugePages };
    return Placed.#find(kind, Segment.attach(name, asked, kind.readable), 0, true, until, find);
  }

  /**
   * Finds it, or makes it: exactly one of several concurrent callers makes it. One whose maker died
   * before it had finished is made again.
   * @throws The errors of `create` and `open`.
   */
  static openOrCreate<T>(
    kind: PlacedKind,
    name: string,
    byteLength: number,
    options: StructureCreateOptions & OwnerOptions,
    make: (placed: Placed) => T,
    find: (placed: Placed) => T,
  ): T {
    const { mode, owner, prefault, hugePages } = options;
    const asked = { size: byteLength, mode, owner, prefault, hugePages };
    const segment = Segment.attachOrCreate(name, asked, markOf(kind));
    const made = Placed.#makeOwned(kind, segment, byteLength, make);
    return made ?? Placed.#find(kind, segment, 0, true, deadlinesFor(), find);
  }

  /**
   * Makes it inside a segment of the user's.
   * @throws StateError EEXIST when one exists there; RangeError for an impossible place.
   */
  static init<T>(
    kind: PlacedKind,
    segment: Segment,
    offset: number,
    byteLength: number,
    options: PlacedInitOptions,
    make: (placed: Placed) => T,
  ): T {
    checkPlace({ ...kind, readable: false }, segment, offset, byteLength);
    const what = describe(kind, segment, offset, false);
    const { overwrite = false } = options;
    checkBoolean(`Cannot make ${what}`, "overwrite", overwrite);
    const made = Placed.#make(kind, segment, offset, byteLength, false, overwrite, make);
    if (made !== undefined) return made;
    throw new StateError(
      "EEXIST",
      `Cannot make ${what}: there is one already. Find it with \`at\`, or pass ` +
        "{ overwrite: true } when nobody uses it any more",
    );
  }

  /**
   * Finds it inside a segment of the user's, and waits for one that is being made.
   *
   * @param byteLength The smallest size that one can have, in bytes.
   * @throws LayoutError when it is something else; StateError ENODATA when nothing is there.
   */
  static at<T>(
    kind: PlacedKind,
    segment: Segment,
    offset: number,
    byteLength: number,
    find: (placed: Placed) => T,
  ): T {
    checkPlace(kind, segment, offset, byteLength);
    return Placed.#find(kind, segment, offset, false, deadlinesFor(), find);
  }

  /** Makes it in a segment of its own, which is closed, and removed if it is new, on failure. */
  static #makeOwned<T>(
    kind: PlacedKind,
    segment: Segment,
    byteLength: number,
    make: (placed: Placed) => T,
  ): T | undefined {
    try {
      return Placed.#make(kind, segment, 0, byteLength, true, false, make);
    } catch (error) {
      // What another process makes in it is its own.
      const isOthers = error instanceof StateError && error.code === "EBUSY";
      if (segment.created && !isOthers) quietly(() => segment.unlink());
      quietly(() => segment.close());
      throw error;
    }
  }

  /** @returns What `make` returned; undefined when a finished one exists there. */
  static #make<T>(
    kind: PlacedKind,
    segment: Segment,
    offset: number,
    byteLength: number,
    owned: boolean,
    overwrite: boolean,
    make: (placed: Placed) => T,
  ): T | undefined {
    const placed = new Placed(kind, segment, offset, owned, true);
    const words = placed.words();
    const isReady = (): boolean => !overwrite && isThere(kind, words, placed.what, offset);
    const attempt = (): { readonly made?: T } | undefined => {
      if (isReady()) return {};
      using lock = segment.tryLock(MAKER_BYTE + offset);
      if (lock === undefined) return undefined;
      if (isReady()) return {};
      placed.#checkRoom(byteLength);
      if (!overwrite && !placed.#isFree(byteLength)) return undefined;
      store(words, kind.making.offset >> 2, MAKING);
      try {
        return { made: make(placed) };
      } catch (error) {
        placed.#leaveUnmade(byteLength);
        throw error;
      }
    };
    const isMade = (): boolean => segment.isLocked(MAKER_BYTE + offset);
    const outcome = waitForMaker(attempt, isMade, deadlinesFor());
    if (outcome !== undefined) return outcome.made;
    if (!isMade() && !overwrite && !placed.#isFree(byteLength)) placed.#failOthers("make");
    const why = isMade() ? IS_BEING_MADE : "somebody who may only read it keeps its maker out";
    throw new StateError("EBUSY", `Cannot make ${placed.what}: ${why}`);
  }

  static #find<T>(
    kind: PlacedKind,
    segment: Segment,
    offset: number,
    owned: boolean,
    until: MakerDeadlines,
    find: (placed: Placed) => T,
  ): T {
    try {
      const placed = new Placed(kind, segment, offset, owned, false);
      const words = placed.words();
      const look = (): true | undefined => isThere(kind, words, placed.what, offset) || undefined;
      const isMade = (): boolean => segment.isLocked(MAKER_BYTE + offset);
      if (waitForMaker(look, isMade, until) === undefined) placed.#failUnready(isMade());
      return find(placed);
    } catch (error) {
      if (owned) segment.close();
      throw error;
    }
  }

  /** @throws LayoutError when the segment existed already, and is too small. */
  #checkRoom(byteLength: number): void {
    const found = this.segment.size - this.offset;
    if (found >= byteLength) return;
    const details = { expected: `${byteLength} bytes`, found: `${found}`, offset: this.offset };
    throw new LayoutError(`Cannot make ${this.what}: its segment is too small`, details);
  }

  /**
   * What was there without the mark of an unfinished structure is somebody else's, and stays. In a
   * segment of the user's, zeros are free memory; an object of its own may be somebody's even so.
   *
   * @returns Whether it can be made here; false for an object of zeros, which somebody may be about
   *   to fill. @throws LayoutError when there is something.
   */
  #isFree(byteLength: number): boolean {
    if (this.fresh || this.#isUnfinished()) return true;
    this.#refuseOthers("make", byteLength);
    return !this.#owned;
  }

  /** Whether a maker of this kind has begun here, and has not finished. */
  #isUnfinished(): boolean {
    const { making } = this.#kind;
    return making.words.includes(load(this.words(), making.offset >> 2));
  }

  /** @throws LayoutError when something lies there that is not all zeros. */
  #refuseOthers(verb: string, byteLength: number): void {
    const words = this.#owned ? this.words() : this.words(byteLength);
    const at = words.findIndex((word) => word !== 0);
    if (at >= 0) this.#failOthers(verb, hex(words[at]!), at * 4);
  }

  /** @param found What lies there, and @param at where, in bytes from its start. */
  #failOthers(verb: string, found = "only zeros", at = 0): never {
    const way = this.#owned
      ? "choose another name, or remove it with Segment.unlink if it is yours"
      : "{ overwrite: true } makes one there all the same";
    throw new LayoutError(`Cannot ${verb} ${this.what}: something else lies there; ${way}`, {
      expected: this.#owned ? one(this.#kind.noun) : "only zeros",
      found,
      offset: this.offset + at,
    });
  }

  /** @throws StateError, LayoutError that says why there is no finished one. */
  #failUnready(isMade: boolean): never {
    const action = `Cannot open ${this.what}`;
    if (isMade) {
      const way = "Wait longer, with waitMs where the call has it";
      throw new StateError("EBUSY", `${action}: ${IS_BEING_MADE}. ${way}`);
    }
    if (this.#isUnfinished()) {
      const way = this.#owned ? "openOrCreate" : "init";
      const why = `it is unfinished, and nobody is making it: ${way} makes it`;
      throw new StateError("ENODATA", `${action}: ${why}`);
    }
    if (this.#owned) this.#refuseOthers("open", 0);
    const why = `it holds only zeros, and nobody is making it${this.#owned ? "" : ": init does"}`;
    throw new StateError("ENODATA", `${action}: ${why}`);
  }

  /**
   * Clears what was there before, and what a maker that died left half done. The mark of what is
   * being made stays all the time.
   */
  clear(byteLength: number): void {
    if (!this.fresh) this.#clear(byteLength);
  }

  #clear(byteLength: number): void {
    const at = this.#kind.making.offset >> 2;
    const words = this.words(byteLength);
    words.fill(0, 0, at);
    words.fill(0, at + 1);
  }

  /** What a maker leaves that failed: an object of its own can be made by the next one. */
  #leaveUnmade(byteLength: number): void {
    if (this.#owned) this.#clear(byteLength);
    else this.words(byteLength).fill(0);
  }

  /** Whether its memory is new, and so all zeros but for the mark. */
  get fresh(): boolean {
    return this.#owned && this.segment.created;
  }

  /** The segment's name. */
  get name(): string {
    return this.segment.name;
  }

  /** Whether `close` was called, or the segment was closed, resized or mapped again. */
  get closed(): boolean {
    return this.#probe.length === 0 || this.segment.closed;
  }

  /** Every call that touches the memory begins with it. @throws ClosedError. */
  checkOpen(): void {
    if (this.#probe.length === 0) throw new ClosedError(this.what);
  }

  /** The words that start here: `byteLength` bytes, or all to the end of the segment. */
  words(byteLength?: number): Int32Array {
    return wordsOf(this.segment.buffer, this.offset, byteLength);
  }

  /**
   * Compares a parameter of what was found here with the one that the caller asked for.
   *
   * @param field Its name in messages, as in "capacity".
   * @param offset Offset of the field in the structure, in bytes.
   * @param asked The value asked for; undefined when the caller accepts any.
   * @throws LayoutError that names the field, what is there and what was asked for.
   */
  mustHave<V extends string | number>(
    field: string,
    offset: number,
    found: V,
    asked: V | undefined,
  ): void {
    if (asked === undefined || asked === found) return;
    throw new LayoutError(`Cannot open ${this.what}: it has a different ${field}`, {
      expected: String(asked),
      found: String(found),
      offset: this.offset + offset,
    });
  }

  /** Whether the segment's name no longer stands for it. @throws ClosedError. */
  get unlinked(): boolean {
    this.checkOpen();
    return this.segment.unlinked;
  }

  /** Removes the name if it still belongs to this segment. @returns Whether this call did. */
  unlink(): boolean {
    this.checkOpen();
    return this.segment.unlink();
  }

  /** Ends this use, and closes the segment if it was opened for this handle. */
  close(): void {
    if (this.#owned) this.segment.close();
    this.#probe = CLOSED;
  }
}

/** Whether a finished one lies there. @throws LayoutError when something else does. */
function isThere(kind: PlacedKind, words: Int32Array, what: string, offset: number): boolean {
  refuseOther(kind, words, what, offset);
  return kind.isReady(words, what, offset);
}

/** The mark that a new object of this kind has before others can look into it. */
function markOf({ making }: PlacedKind): ObjectMark {
  return { offset: making.offset, word: MAKING };
}

function describe(kind: PlacedKind, segment: Segment, offset: number, owned: boolean): string {
  if (owned) return `${kind.noun} ${shown(segment.name)}`;
  return `${kind.noun} at ${offset} in segment ${shown(segment.name)}`;
}
