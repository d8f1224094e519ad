import { LayoutError } from "../errors.ts";
import {
  AUTO,
  EVENT_KIND_OFFSET,
  EVENT_LENGTH,
  EVENT_MAGIC,
  EVENT_MAGIC_OFFSET,
  EVENT_SET_OFFSET,
  EVENT_WAIT_POINT_OFFSET,
  MANUAL,
} from "../layout/event-layout.ts";
import { compareExchange, load, store } from "../memory/atomics.ts";
import { checkMagic } from "../segment/magic.ts";
import { placeWords } from "../segment/placement.ts";
import type { Segment } from "../segment/segment.ts";
import { type AsyncWaitOptions, WaitPoint, type WaitOptions } from "../waiting/wait-point.ts";

/** How to make an event. */
export interface EventInitOptions {
  /** "auto" lets one waiter through for each `set`; "manual" lets all through until `reset`. */
  readonly reset: "auto" | "manual";
  /** Whether it is set from the start. Default false. */
  readonly set?: boolean;
}

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
 * using segment = Segment.create("/start", { size: 4096 });
 * const started = SharedEvent.init(segment, 0, { reset: "manual" });
 * setTimeout(() => started.set(), 10); // mostly: in another process
 * await started.waitAsync();
 * Segment.unlink("/start");
 * ```
 */
export class SharedEvent {
  readonly #words: Int32Array;
  readonly #waitPoint: WaitPoint;
  readonly #auto: boolean;
  readonly #ready: () => boolean;

  private constructor(segment: Segment, offset: number, words: Int32Array, auto: boolean) {
    this.#words = words;
    this.#auto = auto;
    this.#waitPoint = new WaitPoint(segment, offset + EVENT_WAIT_POINT_OFFSET);
    this.#ready = () => this.tryWait();
  }

  /**
   * Makes an event in `EVENT_LENGTH` bytes of a segment. Only one process does, once.
   *
   * @param offset Bytes from the segment's start, a multiple of 128.
   * @throws RangeError for a bad offset; TypeError for a bad kind.
   */
  static init(segment: Segment, offset: number, options: EventInitOptions): SharedEvent {
    if (options.reset !== "auto" && options.reset !== "manual") {
      throw new TypeError(
        `Cannot make an event with reset ${JSON.stringify(options.reset)}: "auto" or "manual"`,
      );
    }
    const words = placeWords("event", segment, offset, EVENT_LENGTH);
    const auto = options.reset === "auto";
    store(words, EVENT_MAGIC_OFFSET >> 2, 0);
    words.fill(0);
    words[EVENT_KIND_OFFSET >> 2] = auto ? AUTO : MANUAL;
    words[SET] = options.set === true ? 1 : 0;
    // SYNC event-made: pairs with the load in `at`.
    store(words, EVENT_MAGIC_OFFSET >> 2, EVENT_MAGIC);
    return new SharedEvent(segment, offset, words, auto);
  }

  /**
   * Finds the event that another process makes there with `init`, and waits for it for a second at
   * most, blocking. @throws LayoutError when there is none.
   */
  static at(segment: Segment, offset: number): SharedEvent {
    const words = placeWords("event", segment, offset, EVENT_LENGTH);
    // SYNC event-made
    const index = EVENT_MAGIC_OFFSET >> 2;
    checkMagic("event", words, index, EVENT_MAGIC, offset + EVENT_MAGIC_OFFSET);
    const kind = load(words, EVENT_KIND_OFFSET >> 2);
    if (kind === AUTO || kind === MANUAL) {
      return new SharedEvent(segment, offset, words, kind === AUTO);
    }
    throw new LayoutError("The event is corrupt", {
      expected: `kind ${AUTO} or ${MANUAL}`,
      found: String(kind),
      offset: offset + EVENT_KIND_OFFSET,
    });
  }

  /** Whether a wait that passes resets it. */
  get kind(): "auto" | "manual" {
    return this.#auto ? "auto" : "manual";
  }

  /** Whether it is set; stale the moment it returns. */
  get isSet(): boolean {
    return load(this.#words, SET) !== 0;
  }

  /** Sets the event, and wakes who waits. */
  set(): void {
    store(this.#words, SET, 1);
    this.#waitPoint.wake();
  }

  /** Takes the event back. */
  reset(): void {
    store(this.#words, SET, 0);
  }

  /** Passes if the event is set (and resets an "auto" one). @returns Whether it passed. */
  tryWait(): boolean {
    if (this.#auto) return compareExchange(this.#words, SET, 1, 0) === 1;
    return load(this.#words, SET) !== 0;
  }

  /** Blocks this thread until it passes. @returns false when the time was over. */
  wait(options?: WaitOptions): boolean {
    return this.#waitPoint.wait(this.#ready, options);
  }

  /** As `wait`, without blocking the event loop. An aborted signal rejects with its reason. */
  waitAsync(options?: AsyncWaitOptions): Promise<boolean> {
    return this.#waitPoint.waitAsync(this.#ready, options);
  }
}
