/** How something that lies in a segment is made once, and found by everybody else. */
import { checkBoolean, checkInteger, hex, one, shown } from "../arguments.ts";
import { ClosedError, LayoutError, StateError } from "../errors.ts";
import { MAKER_BYTE } from "../layout/lock-bytes.ts";
import { refuseOther } from "../layout/recognition.ts";
import { wordsOf } from "../memory/atomics.ts";
import { FOR_CREATOR, waitUntil } from "../waiting/patience.ts";
import { Segment } from "./segment.ts";

/** One kind of thing that can lie in a segment. */
export interface PlacedKind {
  /** For messages: "mutex". */
  readonly noun: string;
  /** Whether it can be used in a segment that was opened for reading only. */
  readonly readable: boolean;
  /** As what it is recognised: its noun, or `HEADED`. */
  readonly family: string;
  /**
   * Whether a finished one lies there, and no other structure of this package, as was seen before.
   *
   * @param words The words from its start to the end of the segment.
   * @throws LayoutError when something else lies there.
   */
  isReady(words: Int32Array, what: string, offset: number): boolean;
}

/** How the segment of a named structure is made. */
export interface PlacedCreateOptions {
  /** Permission bits, applied whatever the umask. Default 0o600: this user only. */
  readonly mode?: number | undefined;
}

/** How a named structure is found. */
export interface PlacedOpenOptions {
  /** Milliseconds to wait, blocking this thread, for the name to appear. Default 0. */
  readonly waitMs?: number | undefined;
}

/** How a structure is made inside a segment of the user's. */
export interface PlacedInitOptions {
  /**
   * Make a new one over an existing one, which nobody may be using. Default false: an existing one
   * is an error.
   */
  readonly overwrite?: boolean | undefined;
}

/** Structures start at a multiple of this many bytes, so that none shares a cache line. */
const ALIGNMENT = 128;

const CLOSED = new Uint8Array(0);

/** A place in a segment, and the life of the handle that uses it. */
export class Placed {
  readonly segment: Segment;
  /** Bytes from the segment's start. */
  readonly offset: number;
  /** Whether this handle made what lies there. */
  readonly created: boolean;
  /** For messages: `mutex "/x"`, or `mutex at 128 in segment "/x"`. */
  readonly what: string;
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
    options: PlacedCreateOptions,
    make: (placed: Placed) => T,
  ): T {
    const segment = Segment.create(name, { size: byteLength, mode: options.mode });
    try {
      const made = Placed.#make(kind, segment, 0, byteLength, true, false, make);
      if (made !== undefined) return made;
      const what = describe(kind, segment, 0, true);
      throw new StateError(
        "EEXIST",
        `Cannot create ${what}: another process has made it meanwhile`,
      );
    } catch (error) {
      giveUp(segment, error);
      throw error;
    }
  }

  /**
   * Finds one that has a segment of its own, and waits for one that is being made.
   * @throws SystemError ENOENT; LayoutError when it is something else; StateError ENODATA.
   */
  static open<T>(
    kind: PlacedKind,
    name: string,
    options: PlacedOpenOptions,
    find: (placed: Placed) => T,
  ): T {
    return Placed.#find(kind, Segment.open(name, { waitMs: options.waitMs }), 0, true, find);
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
    options: PlacedCreateOptions,
    make: (placed: Placed) => T,
    find: (placed: Placed) => T,
  ): T {
    const segment = Segment.attachOrCreate(name, { size: byteLength, mode: options.mode });
    try {
      const made = Placed.#make(kind, segment, 0, byteLength, true, false, make);
      if (made !== undefined) return made;
    } catch (error) {
      giveUp(segment, error);
      throw error;
    }
    return Placed.#find(kind, segment, 0, true, find);
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
    checkPlace(kind, segment, offset, byteLength);
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
    return Placed.#find(kind, segment, offset, false, find);
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
    const outcome = waitUntil((): { readonly made?: T } | undefined => {
      if (isReady()) return {};
      using lock = segment.tryLock(MAKER_BYTE + offset);
      if (lock === undefined) return undefined;
      if (isReady()) return {};
      placed.#checkRoom(byteLength);
      placed.#checkUnused(byteLength);
      return { made: make(placed) };
    }, FOR_CREATOR);
    if (outcome !== undefined) return outcome.made;
    throw new StateError("EBUSY", `Cannot make ${placed.what}: another process is making it`);
  }

  static #find<T>(
    kind: PlacedKind,
    segment: Segment,
    offset: number,
    owned: boolean,
    find: (placed: Placed) => T,
  ): T {
    const placed = new Placed(kind, segment, offset, owned, false);
    try {
      const words = placed.words();
      const isReady = (): true | undefined =>
        isThere(kind, words, placed.what, offset) ? true : undefined;
      if (waitUntil(isReady, FOR_CREATOR) === undefined) {
        const hint = owned
          ? "Its creator died before it had finished: openOrCreate makes it, unlink removes it"
          : "Nobody has made one there, or its maker died before it had finished: `init` makes it";
        throw new StateError("ENODATA", `Cannot open ${placed.what}: it holds only zeros. ${hint}`);
      }
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
   * A named object that was there, and is no structure, is somebody else's: it is not overwritten.
   * What a maker left half done has the size of what is made; an object of zeros holds nothing.
   *
   * @throws LayoutError when there is something.
   */
  #checkUnused(byteLength: number): void {
    const { segment } = this;
    if (!this.#owned || segment.created || segment.size === byteLength) return;
    const at = this.words().findIndex((word) => word !== 0);
    if (at < 0) return;
    throw new LayoutError(`Cannot make ${this.what}: something else lies there, and stays`, {
      expected: "only zeros",
      found: hex(this.words()[at]!),
      offset: at * 4,
    });
  }

  /** Whether its memory is new, and so all zeros. */
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

/** Leaves nothing of a segment in which nothing could be made. */
function giveUp(segment: Segment, error: unknown): void {
  // What another process makes or has made in it is its own.
  const isOthers = error instanceof StateError && ["EBUSY", "EEXIST"].includes(error.code);
  if (segment.created && !isOthers) segment.unlink();
  segment.close();
}

function describe(kind: PlacedKind, segment: Segment, offset: number, owned: boolean): string {
  if (owned) return `${kind.noun} ${shown(segment.name)}`;
  return `${kind.noun} at ${offset} in segment ${shown(segment.name)}`;
}

/** Checks where something is to lie in a segment. @throws TypeError, RangeError; ClosedError. */
export function checkPlace(
  { noun, readable }: Pick<PlacedKind, "noun" | "readable">,
  segment: unknown,
  offset: number,
  byteLength: number,
  alignment: number = ALIGNMENT,
): asserts segment is Segment {
  if (!Segment.isOne(segment)) {
    throw new TypeError(`Cannot place ${one(noun)} in ${shown(segment)}: it is not a Segment`);
  }
  const action = `Cannot place ${one(noun)} in segment ${shown(segment.name)}`;
  const size = segment.buffer.byteLength;
  checkInteger(action, "its offset", offset, 0);
  if (offset % alignment !== 0) {
    throw new RangeError(`${action}: its offset must be a multiple of ${alignment}, not ${offset}`);
  }
  if (offset + byteLength > size) {
    throw new RangeError(
      `${action}: its ${byteLength} bytes from offset ${offset} end beyond the segment's ${size}`,
    );
  }
  if (!readable && segment.access === "read") {
    throw new TypeError(`${action}: the segment was opened for reading only`);
  }
}
