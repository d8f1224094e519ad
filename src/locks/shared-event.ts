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
import type { OwnerOptions } from "../memory/objects/owner.ts";
import type { Placed } from "../segment/placed.ts";
import type {
  PlacedCreateOptions,
  PlacedInitOptions,
  PlacedOpenOptions,
} from "../segment/placed-options.ts";
import type { Segment } from "../segment/segment.ts";
import { AsyncLine } from "../waiting/async-line.ts";
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

/** What the event that is found must be like. */
export interface SharedEventOptions {
  /** "auto" lets one waiter through for each `set`; "manual" lets all through until `reset`. */
  readonly reset?: "auto" | "manual" | undefined;
}

/** How to make an event. */
export interface SharedEventCreateOptions extends SharedEventOptions {
  readonly reset: "auto" | "manual";
  /** Whether it starts set. Default false. */
  readonly set?: boolean | undefined;
}

const KIND_WORD: number = EVENT_KIND_OFFSET >> 2;
const SET_WORD: number = EVENT_SET_OFFSET >> 2;

/**
 * Something that happens in one process and that others wait for.
 *
 * Any number of processes and threads may set it, reset it and wait for it. An event remembers that
 * it was set, and not how often: two calls of `set` before a wait count as one. To count, use a
 * `Semaphore`.
 *
 * What a crash leaves: the event as it was. An "auto" event that has let a process through stays
 * reset, even if that process dies at once.
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
  /** Only an "auto" event lets one wait through at a time. */
  readonly #line: AsyncLine | undefined;

  static readonly #kind = new LockKind<SharedEvent, SharedEventCreateOptions, SharedEventOptions>({
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
      words[KIND_WORD] = reset === "auto" ? AUTO : MANUAL;
      words[SET_WORD] = set === true ? 1 : 0;
      return new SharedEvent(placed, reset === "auto");
    },
    find(placed, { reset }) {
      const kind = load(wordsAt(placed, EVENT_LENGTH), KIND_WORD);
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
    const memory = new LockMemory(
      "SharedEvent",
      placed,
      EVENT_LENGTH,
      EVENT_WAIT_POINT_OFFSET,
      false,
    );
    super(memory);
    this.#memory = memory;
    this.#auto = auto;
    this.#ready = () => this.tryWait();
    this.#line = auto ? new AsyncLine() : undefined;
  }

  /** How many bytes an event takes in a segment. */
  static byteLength(): number {
    return EVENT_LENGTH;
  }

  /**
   * Makes an event in a new segment of that name. Does not block.
   *
   * @returns The event.
   * @throws SystemError EEXIST when the name is taken, EACCES, ENOSPC; TypeError, RangeError for
   *   bad arguments.
   */
  static create(
    name: string,
    options: SharedEventCreateOptions & PlacedCreateOptions,
  ): SharedEvent {
    return SharedEvent.#kind.create(name, options);
  }

  /**
   * Finds the event of that name. Blocks until the name appears, for `waitMs` at most, and while a
   * live process is making it, which `waitMs` bounds too (half a minute without it).
   *
   * @returns The event.
   * @throws SystemError ENOENT, EACCES; StateError EPERM when it is another user's (see `owner`);
   *   LayoutError when it is something else, or its `reset` is not the one asked for; StateError
   *   ENODATA when it is unfinished, and nobody makes it.
   */
  static open(name: string, options?: SharedEventOptions & PlacedOpenOptions): SharedEvent {
    return SharedEvent.#kind.open(name, options);
  }

  /**
   * Finds the event of that name, or makes it; `created` says which. An existing one stays set or
   * reset, whatever `set` says. Blocks while a live process is making it, for half a minute at
   * most.
   *
   * @returns The event.
   * @throws The errors of `create` and `open`, without EEXIST and ENOENT.
   */
  static openOrCreate(
    name: string,
    options: SharedEventCreateOptions & PlacedCreateOptions & OwnerOptions,
  ): SharedEvent {
    return SharedEvent.#kind.openOrCreate(name, options);
  }

  /**
   * Makes an event inside a segment. Blocks only while another process is making one there, for a
   * second at most.
   *
   * @param offset Where it starts, in bytes from the segment's start; a multiple of 128.
   * @returns The event.
   * @throws StateError EEXIST when an event exists there, EBUSY when another process takes over a
   *   second to make one; RangeError for a bad offset; TypeError for a bad option; LayoutError when
   *   something else is there.
   */
  static init(
    segment: Segment,
    offset: number,
    options: SharedEventCreateOptions & PlacedInitOptions,
  ): SharedEvent {
    return SharedEvent.#kind.init(segment, offset, options);
  }

  /**
   * Finds the event that was made there with `init`. Blocks until it is there, for a second at
   * most.
   *
   * @param offset Where it starts, in bytes from the segment's start.
   * @returns The event.
   * @throws LayoutError when it is something else, or its `reset` is not the one asked for;
   *   StateError ENODATA when there is none.
   */
  static at(segment: Segment, offset: number, options?: SharedEventOptions): SharedEvent {
    return SharedEvent.#kind.at(segment, offset, options);
  }

  /** Who resets it: "auto", a wait that passes; "manual", only `reset`. */
  get kind(): "auto" | "manual" {
    return this.#auto ? "auto" : "manual";
  }

  /** Whether it is set; stale the moment it returns. @throws ClosedError. */
  get isSet(): boolean {
    return load(this.#memory.words, SET_WORD) !== 0;
  }

  /** Sets the event, and wakes all waiters; does not block. @throws ClosedError. */
  set(): void {
    store(this.#memory.words, SET_WORD, 1);
    this.#memory.waitPoint.wake();
  }

  /**
   * Resets the event: later waits wait until it is set again. Does not block. @throws ClosedError.
   */
  reset(): void {
    store(this.#memory.words, SET_WORD, 0);
  }

  /**
   * Passes if the event is set, and then resets an "auto" one; does not block.
   * @returns Whether it passed. @throws ClosedError.
   */
  tryWait(): boolean {
    if (this.#auto) return compareExchange(this.#memory.words, SET_WORD, 1, 0) === 1;
    return load(this.#memory.words, SET_WORD) !== 0;
  }

  /**
   * Blocks this thread until the event is set, and then resets an "auto" one.
   *
   * @returns Whether it passed: false when the timeout passed first.
   * @throws ClosedError; the signal's reason when it is aborted; RangeError, TypeError.
   */
  wait(options?: WaitOptions): boolean {
    if (options !== undefined) checkWait(this.#action, options, WAIT_OPTIONS);
    // A look first, which the engine can inline.
    return this.tryWait() || this.#memory.wait(this.#ready, options);
  }

  /**
   * Waits like `wait`, without blocking the event loop. An "auto" event lets the waits of one
   * handle through in the order in which they began.
   *
   * @returns Whether it passed: false when the timeout passed first.
   * @throws The errors of `wait`, as soon as the signal is aborted or the handle is closed.
   */
  async waitAsync(options?: AsyncWaitOptions): Promise<boolean> {
    checkWait(this.#action, options, ASYNC_WAIT_OPTIONS);
    return this.#memory.waitAsync(this.#ready, options, this.#line);
  }

  get #action(): string {
    return `Cannot wait for ${this.#memory.what}`;
  }
}
