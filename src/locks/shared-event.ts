import { checkBoolean, checkOneOf } from "../arguments.ts";
import { LayoutError } from "../errors.ts";
import {
  AUTO,
  EVENT_KIND_OFFSET,
  EVENT_LENGTH,
  EVENT_SET_OFFSET,
  EVENT_WAIT_POINT_OFFSET,
  MANUAL,
} from "../layout/event-layout.ts";
import { EVENT_MARK } from "../layout/lock-marks.ts";
import { compareExchange, load, store } from "../memory/atomics.ts";
import type {
  Placed,
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed.ts";
import type { Segment } from "../segment/segment.ts";
import {
  ASYNC_WAIT_OPTIONS,
  type AsyncWaitOptions,
  WAIT_OPTIONS,
  type WaitOptions,
  checkWait,
} from "../waiting/wait-options.ts";
import { LockHandle } from "./handle.ts";
import { LockKind } from "./lock-kind.ts";
import { LockMemory, wordsAt } from "./lock-memory.ts";

/** Which event is to be found. */
export interface EventOptions {
  /** "auto" lets one waiter through for each `set`; "manual" lets all through until `reset`. */
  readonly reset?: "auto" | "manual" | undefined;
}

/** How to make an event. */
export interface EventCreateOptions extends EventOptions {
  readonly reset: "auto" | "manual";
  /** Whether it is set from the start. Default false. */
  readonly set?: boolean | undefined;
}

const KIND: number = EVENT_KIND_OFFSET >> 2;
const SET: number = EVENT_SET_OFFSET >> 2;

/**
 * Something that happens in one process and that others wait for. Any process and thread may set,
 * reset and wait.
 *
 * An event remembers that it was set, not how often: two `set` before a wait are one. To count, use
 * a `Semaphore`.
 *
 * What a crash leaves: the event as it was. An "auto" event that let a process through is reset,
 * also when that process dies right after.
 *
 * @example
 * ```ts
 * using started = SharedEvent.create("/start", { reset: "manual" });
 * setTimeout(() => started.set(), 10); // mostly: in another process
 * await started.waitAsync();
 * started.unlink();
 * ```
 */
export class SharedEvent extends LockHandle {
  readonly #memory: LockMemory;
  readonly #auto: boolean;
  readonly #ready: () => boolean;

  static readonly #kind = new LockKind<SharedEvent, EventCreateOptions, EventOptions>({
    mark: EVENT_MARK,
    makes: ["reset", "set"],
    finds: ["reset"],
    leastLength: EVENT_LENGTH,
    byteLength(action, { reset, set = false }) {
      checkOneOf(action, "its reset", reset, ["auto", "manual"]);
      checkBoolean(action, "set", set);
      return EVENT_LENGTH;
    },
    check(action, { reset }) {
      if (reset !== undefined) checkOneOf(action, "its reset", reset, ["auto", "manual"]);
    },
    make(placed, words, { reset, set }) {
      words[KIND] = reset === "auto" ? AUTO : MANUAL;
      words[SET] = set === true ? 1 : 0;
      return new SharedEvent(placed, reset === "auto");
    },
    find(placed, { reset }) {
      const kind = load(wordsAt(placed, EVENT_LENGTH), KIND);
      const found = kind === AUTO ? "auto" : kind === MANUAL ? "manual" : undefined;
      if (found === undefined) {
        throw new LayoutError(`Cannot open ${placed.what}: it is corrupt`, {
          expected: `kind ${AUTO} or ${MANUAL}`,
          found: String(kind),
          offset: placed.offset + EVENT_KIND_OFFSET,
        });
      }
      placed.mustHave("reset", EVENT_KIND_OFFSET, found, reset);
      return new SharedEvent(placed, found === "auto");
    },
  });

  private constructor(placed: Placed, auto: boolean) {
    const memory = new LockMemory("SharedEvent", placed, EVENT_LENGTH, EVENT_WAIT_POINT_OFFSET);
    super(memory);
    this.#memory = memory;
    this.#auto = auto;
    this.#ready = () => this.tryWait();
  }

  /** Bytes that an event takes in a segment. */
  static byteLength(): number {
    return EVENT_LENGTH;
  }

  /**
   * Makes an event in a new segment of that name.
   *
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments.
   */
  static create(name: string, options: EventCreateOptions & PlacedCreateOptions): SharedEvent {
    return SharedEvent.#kind.create(name, options);
  }

  /**
   * Finds the event of that name; one that is being made is waited for, blocking.
   *
   * @throws SystemError ENOENT, EACCES; LayoutError when it is something else, or resets in another
   *   way; StateError ENODATA when its creator died half way.
   */
  static open(name: string, options?: EventOptions & PlacedOpenOptions): SharedEvent {
    return SharedEvent.#kind.open(name, options);
  }

  /**
   * Finds the event of that name, or makes it; `created` says which. One that is there stays set or
   * not, as it is. @throws As both.
   */
  static openOrCreate(
    name: string,
    options: EventCreateOptions & PlacedCreateOptions,
  ): SharedEvent {
    return SharedEvent.#kind.openOrCreate(name, options);
  }

  /**
   * Makes an event inside a segment.
   *
   * @param offset Bytes from the segment's start, a multiple of 128.
   * @throws StateError EEXIST when one is there; RangeError for a bad offset; TypeError for another
   *   `reset`; LayoutError when something else is there.
   */
  static init(
    segment: Segment,
    offset: number,
    options: EventCreateOptions & PlacedInitOptions,
  ): SharedEvent {
    return SharedEvent.#kind.init(segment, offset, options);
  }

  /**
   * Finds the event that another process makes there with `init`, and waits for it for a second at
   * most, blocking.
   *
   * @param offset Bytes from the segment's start.
   * @throws LayoutError when it is something else, or resets in another way; StateError ENODATA
   *   when there is none.
   */
  static at(segment: Segment, offset: number, options?: EventOptions): SharedEvent {
    return SharedEvent.#kind.at(segment, offset, options);
  }

  /** Whether a wait that passes resets it. */
  get kind(): "auto" | "manual" {
    return this.#auto ? "auto" : "manual";
  }

  /** Whether it is set; stale the moment it returns. @throws ClosedError. */
  get isSet(): boolean {
    return load(this.#memory.words, SET) !== 0;
  }

  /** Sets the event, and wakes everybody who waits; does not block. @throws ClosedError. */
  set(): void {
    store(this.#memory.words, SET, 1);
    this.#memory.waitPoint.wake();
  }

  /** Takes the event back; does not block. @throws ClosedError. */
  reset(): void {
    store(this.#memory.words, SET, 0);
  }

  /** Passes if the event is set (and resets an "auto" one). @returns Whether it passed. */
  tryWait(): boolean {
    if (this.#auto) return compareExchange(this.#memory.words, SET, 1, 0) === 1;
    return load(this.#memory.words, SET) !== 0;
  }

  /**
   * Blocks this thread until it passes.
   *
   * @returns Whether it passed: false when the time was over.
   * @throws ClosedError; the reason of a signal that is aborted.
   */
  wait(options?: WaitOptions): boolean {
    if (options !== undefined) checkWait(this.#action, options, WAIT_OPTIONS);
    // A look first, which the engine can inline.
    return this.tryWait() || this.#memory.wait(this.#ready, options);
  }

  /**
   * As `wait`, without blocking the event loop.
   *
   * @returns Whether it passed: false when the time was over.
   * @throws As `wait`; the signal's reason as soon as it is aborted.
   */
  async waitAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action, options, ASYNC_WAIT_OPTIONS);
    return this.#memory.waitAsync(this.#ready, options);
  }

  get #action(): string {
    return `Cannot wait for ${this.#memory.what}`;
  }
}
