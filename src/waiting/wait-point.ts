/** How to wait: spin a little, then sleep, or let the event loop wait. */
import { E, fail } from "../libc/errno.ts";
import { HAS_FUTEX, futexWait, futexWake } from "../libc/futex.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import {
  BELL,
  BELL_COUNT,
  BLOCKED,
  FIRST_BELL_WORD,
  WAIT_POINT_LENGTH,
} from "../layout/wait-point-layout.ts";
import { compareExchange, load } from "../memory/atomics.ts";
import type { Mapping } from "../memory/mapping.ts";
import { ownBell, ring, startWaiting, stopWaiting } from "./doorbell.ts";
import { announce, hasWaiters, takeWaiters } from "./event-count.ts";
import {
  MAX_TIMER_MS,
  MAY_SPIN,
  POLLS_PER_CLOCK,
  POLL_MS,
  SLICE_MS,
  SPIN_POLLS,
  SPIN_TRIAL_PERIOD,
  SPIN_TURNS,
} from "./limits.ts";
import { type AsyncWaitOptions, type WaitOptions, checkTimeout } from "./wait-options.ts";

/**
 * How a blocking wait spends its time: "spin" polls until the end, for the lowest latency at the
 * price of a core; "block" sleeps at once; "adaptive" polls for as long as a sleep and a wake would
 * take, and then sleeps.
 */
export type WaitStrategy = "spin" | "block" | "adaptive";

export const WAIT_STRATEGIES: readonly WaitStrategy[] = ["spin", "block", "adaptive"];

/** How long a blocking wait lasts, and how it spends its time. */
export interface BlockingWaitOptions extends WaitOptions {
  /** Default "adaptive". */
  readonly strategy?: WaitStrategy | undefined;
}

// Woken, changed already, time over, a signal: each is a reason to look again.
const LOOK_AGAIN: ReadonlySet<number> = new Set([-E.EAGAIN, -E.ETIMEDOUT, -E.EINTR]);

/**
 * A place in shared memory where processes wait for what others publish.
 *
 * The protocol is in event-count.ts. `ready` looks at what is waited for and may take it; it is
 * called often, so it is short. Safe from any number of processes, of any kind.
 */
export class WaitPoint {
  readonly #mapping: Mapping;
  readonly #offset: number;
  readonly #words: Int32Array;
  readonly #state: number;
  /** Async waits of this thread here. While there are any, the thread's bell is registered. */
  #asyncWaits = 0;
  readonly #endings = new Set<() => void>();
  #spinTurns = SPIN_TURNS;
  #asyncSpins = 0;

  /** @param byteOffset Where the wait point starts; a multiple of its length. */
  constructor(memory: { readonly mapping: Mapping }, byteOffset: number) {
    this.#mapping = memory.mapping;
    this.#offset = byteOffset;
    this.#words = new Int32Array(this.#mapping.buffer, byteOffset, WAIT_POINT_LENGTH / 4);
    this.#state = 0;
  }

  /** Whether somebody sleeps here. One who spins is not seen. Stale the moment it returns. */
  get hasWaiters(): boolean {
    return hasWaiters(this.#words, this.#state);
  }

  /** Wakes everybody who waits here, after something was published with an atomic store. */
  wake(): void {
    if (hasWaiters(this.#words, this.#state)) this.#wakeAll();
  }

  #wakeAll(): void {
    const flags = takeWaiters(this.#words, this.#state);
    if ((flags & BLOCKED) !== 0) futexWake(this.#mapping.address + this.#offset, 0x7fffffff);
    if ((flags & BELL) === 0) return;
    for (let word = FIRST_BELL_WORD; word < FIRST_BELL_WORD + BELL_COUNT; word++) {
      const id = load(this.#words, word);
      if (id !== 0 && !ring(id)) compareExchange(this.#words, word, id, 0);
    }
  }

  /**
   * Blocks this thread until `ready` says yes. @returns false when the time was over.
   *
   * Signal handlers in JavaScript run only after it returns: an untimed wait is for threads that
   * have nothing else to do. An AbortSignal is looked at when it begins, and between its sleeps.
   * @throws The signal's reason; what `ready` throws.
   */
  wait(ready: () => boolean, options: BlockingWaitOptions = {}): boolean {
    const timeoutMs = checkTimeout(options.timeoutMs);
    const { strategy = "adaptive", signal } = options;
    signal?.throwIfAborted();
    if (ready()) return true;
    if (timeoutMs === 0) return false;
    const deadline = monotonicMs() + timeoutMs;
    if (strategy === "spin") return spin(ready, deadline);
    if (strategy === "adaptive" && MAY_SPIN) {
      for (let poll = 0; poll < SPIN_POLLS; poll++) if (ready()) return true;
    }
    for (;;) {
      const key = announce(this.#words, this.#state, BLOCKED);
      if (ready()) return true;
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      this.#sleep(key, Math.min(left, SLICE_MS));
      signal?.throwIfAborted();
    }
  }

  #sleep(key: number, milliseconds: number): void {
    if (!HAS_FUTEX) return sleepMs(Math.min(milliseconds, POLL_MS));
    const result = futexWait(this.#mapping.address + this.#offset, key, milliseconds);
    if (result < 0 && !LOOK_AGAIN.has(result)) fail("Cannot wait", result, "futex");
  }

  /**
   * Waits in the event loop until `ready` says yes. Nothing polls and no thread is occupied; what
   * `ready` throws rejects the promise.
   *
   * @returns false when the time was over, or the memory was unmapped meanwhile.
   * @throws The signal's reason.
   */
  async waitAsync(ready: () => boolean, options: AsyncWaitOptions = {}): Promise<boolean> {
    const timeoutMs = checkTimeout(options.timeoutMs);
    options.signal?.throwIfAborted();
    if (ready()) return true;
    if (timeoutMs === 0) return false;
    const deadline = monotonicMs() + timeoutMs;
    if (await this.#spinTurnsOf(ready, deadline, options)) return true;
    if (this.#isGone()) return false;
    return this.#waitForBell(ready, deadline, options);
  }

  /**
   * Looks once a turn of the event loop, for a few turns: what comes that soon comes sooner than a
   * bell could tell. A point where that is in vain spins less and less, down to one turn, and now
   * and then tries again.
   */
  async #spinTurnsOf(
    ready: () => boolean,
    deadline: number,
    { signal }: AsyncWaitOptions,
  ): Promise<boolean> {
    if (!MAY_SPIN) return false;
    const trial = ++this.#asyncSpins % SPIN_TRIAL_PERIOD === 0;
    const turns = trial ? SPIN_TURNS : this.#spinTurns;
    for (let turn = 0; turn < turns; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      if (this.#isGone()) return false;
      if (ready()) {
        this.#spinTurns = Math.min(Math.max(this.#spinTurns, turn + 1) * 2, SPIN_TURNS);
        return true;
      }
      if (monotonicMs() >= deadline) return false;
    }
    this.#spinTurns = Math.max(this.#spinTurns >> 1, 1);
    return false;
  }

  /** Whether the memory was unmapped. */
  #isGone(): boolean {
    return this.#words.length === 0;
  }

  /** Ends every async wait of this object with false, before its memory goes. */
  endWaits(): void {
    for (const endEarly of this.#endings) endEarly();
  }

  #waitForBell(
    ready: () => boolean,
    deadline: number,
    { signal, ref = true }: AsyncWaitOptions,
  ): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    let timer: Timer | undefined;
    const end = (settle: () => void): true => {
      stopWaiting(look);
      this.#endings.delete(endEarly);
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      if (--this.#asyncWaits === 0) this.#unregisterBell();
      settle();
      return true;
    };
    const aborted = (): void => void end(() => reject(signal?.reason));
    const endEarly = (): void => void end(() => resolve(false));
    const look = (): boolean => {
      if (this.#isGone()) return end(() => resolve(false));
      try {
        // The wake that rang the bell took the flag away: set it again, and only then look.
        announce(this.#words, this.#state, BELL);
        return ready() && end(() => resolve(true));
      } catch (error) {
        return end(() => reject(error));
      }
    };

    if (this.#asyncWaits++ === 0) this.#registerBell();
    startWaiting(look, ref);
    this.#endings.add(endEarly);
    if (look()) return promise;
    signal?.addEventListener("abort", aborted, { once: true });
    if (deadline < Number.POSITIVE_INFINITY) {
      const startTimer = (): void => {
        const left = Math.max(deadline - monotonicMs(), 0);
        timer = setTimeout(tick, Math.min(left, MAX_TIMER_MS));
        if (!ref) timer.unref();
      };
      const tick = (): void => {
        if (monotonicMs() < deadline) startTimer();
        else end(() => resolve(false));
      };
      startTimer();
    }
    return promise;
  }

  /** Without a free place nothing is lost: the wait ends by the re-check. */
  #registerBell(): void {
    const own = ownBell();
    if (this.#placeBell(own)) return;
    for (let word = FIRST_BELL_WORD; word < FIRST_BELL_WORD + BELL_COUNT; word++) {
      const id = load(this.#words, word);
      if (id !== 0 && !ring(id)) compareExchange(this.#words, word, id, 0);
    }
    this.#placeBell(own);
  }

  #placeBell(own: number): boolean {
    for (let word = FIRST_BELL_WORD; word < FIRST_BELL_WORD + BELL_COUNT; word++) {
      if (compareExchange(this.#words, word, 0, own) === 0) return true;
    }
    return false;
  }

  #unregisterBell(): void {
    // Unmapped memory has nothing to unregister from.
    if (this.#isGone()) return;
    const own = ownBell();
    for (let word = FIRST_BELL_WORD; word < FIRST_BELL_WORD + BELL_COUNT; word++) {
      if (compareExchange(this.#words, word, own, 0) === own) return;
    }
  }
}

function spin(ready: () => boolean, deadline: number): boolean {
  for (;;) {
    for (let poll = 0; poll < POLLS_PER_CLOCK; poll++) if (ready()) return true;
    if (monotonicMs() >= deadline) return false;
  }
}
