/**
 * How a wait spends its time: it spins a little, and then sleeps or leaves it to the event loop.
 */
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
import { type PendingWait, ownBell, ring, startWaiting, stopWaiting } from "./doorbell.ts";
import { announce, announceToLight, hasWaiters, takeWaiters } from "./event-count.ts";
import {
  HOLDER_RECHECK_MS,
  HOLDER_SLICE_MS,
  HOT_LOOKS,
  MAX_TIMER_MS,
  MAY_SPIN,
  POLLS_PER_CLOCK,
  POLL_MS,
  READER_LOOK_MS,
  RECHECK_MS,
  SLICE_MS,
  SPIN_POLLS,
  SPIN_TRIAL_PERIOD,
  SPIN_TURNS,
} from "./limits.ts";
import { isTurnDue, takeTurn } from "./turns.ts";
import { type SharedMemory, memoryIn } from "./wait-memory.ts";
import { type AsyncWaitOptions, type WaitOptions, checkTimeout } from "./wait-options.ts";
import { ThreadWait } from "./wait-thread.ts";

/**
 * How a blocking wait spends its time: "spin" polls all the time, for the lowest latency at the
 * cost of a whole core; "block" sleeps at once; "adaptive" polls for about as long as a sleep and a
 * wake would take, and then sleeps.
 */
export type WaitStrategy = "spin" | "block" | "adaptive";

export const WAIT_STRATEGIES: readonly WaitStrategy[] = ["spin", "block", "adaptive"];

/** How long a blocking wait lasts, and how it spends its time. */
export interface BlockingWaitOptions extends WaitOptions {
  /** How it spends its time. Default "adaptive". */
  readonly strategy?: WaitStrategy | undefined;
}

/**
 * Looks at what is waited for, and may take it. It is called often, so it must be short.
 * @param unasked Whether the wait has slept for a while and nobody woke it: then what nobody tells
 *   of may be looked at, such as a death.
 */
export type Ready = (unasked?: boolean) => boolean;

/** Announces nothing, where nothing can be written. */
const tellNobody: typeof announce = () => 0;

/** The state is the first word of a wait point. */
const STATE_WORD = 0;

// The word had changed, the time was over, a signal came: each is a reason to look again.
const LOOK_AGAIN: ReadonlySet<number> = new Set([-E.EAGAIN, -E.ETIMEDOUT, -E.EINTR]);

/**
 * A place in shared memory where processes wait for what others publish.
 *
 * The protocol is in event-count.ts. The callback `ready` looks at what is waited for, and may take
 * it; it is called often, so it must be short. Any number of processes and threads may use one wait
 * point at once.
 */
export class WaitPoint {
  readonly #memory: SharedMemory;
  readonly #offset: number;
  readonly #words: Int32Array;
  /** How many async waits this handle has. While there are any, the thread's bell is registered. */
  #asyncWaits = 0;
  /** The word that has the thread's bell; -1 while none has it. */
  #bellWord = -1;
  /** Whether somebody could not ring the bell, as across network namespaces, and removed it. */
  #isUnreachable = false;
  /** The thread that sleeps here while no bell helps. */
  #thread: ThreadWait | undefined;
  /** The async waits of this handle: how each looks, and how it ends early. */
  readonly #pending = new Map<PendingWait, () => void>();
  #hotLooks = HOT_LOOKS;
  #hotWaits = 0;
  #spinTurns = SPIN_TURNS;
  #asyncSpins = 0;

  /** Whether nobody can be told of a wait here, so that it has to look. */
  readonly #isReadOnly: boolean;
  readonly #announce: typeof announce;
  /** How long it sleeps before it looks unasked: in a blocking wait, and in the event loop. */
  readonly #sliceMs: number;
  readonly #recheckMs: number;

  /**
   * @param byteOffset Where the wait point starts; a multiple of its length.
   * @param options forHolder: whether it is waited for somebody who may die, of which nobody tells.
   *   forLight: whether light wakers wake here.
   */
  constructor(
    memory: SharedMemory,
    byteOffset: number,
    { forHolder = false, forLight = false }: { forHolder?: boolean; forLight?: boolean } = {},
  ) {
    this.#isReadOnly = memory.access === "read";
    this.#announce = this.#isReadOnly ? tellNobody : forLight ? announceToLight : announce;
    this.#sliceMs = forHolder ? HOLDER_SLICE_MS : SLICE_MS;
    if (this.#isReadOnly) this.#recheckMs = READER_LOOK_MS;
    else this.#recheckMs = forHolder ? HOLDER_RECHECK_MS : RECHECK_MS;
    this.#memory = memory;
    this.#offset = byteOffset;
    this.#words = new Int32Array(memory.mapping.buffer, byteOffset, WAIT_POINT_LENGTH / 4);
  }

  /** Whether anybody sleeps here, as opposed to spinning; stale the moment it returns. */
  get hasWaiters(): boolean {
    return hasWaiters(this.#words, STATE_WORD);
  }

  /** Wakes all who wait here, after something was published with an atomic store. */
  wake(): void {
    if (hasWaiters(this.#words, STATE_WORD)) this.#wakeAll();
  }

  #wakeAll(): void {
    const flags = takeWaiters(this.#words, STATE_WORD);
    if ((flags & BLOCKED) !== 0) futexWake(this.#memory.mapping.address + this.#offset, 0x7fffffff);
    if ((flags & BELL) !== 0) this.#ringBells();
  }

  /** Rings every registered bell, and removes those whose owners are dead. */
  #ringBells(): void {
    const words = this.#words;
    for (let word = FIRST_BELL_WORD; word < FIRST_BELL_WORD + BELL_COUNT; word++) {
      // A plain look, since this runs rarely, and so slowly: it comes after a swap of the flags.
      const id = words[word] ?? 0;
      if (id !== 0 && !ring(id)) compareExchange(words, word, id, 0);
    }
  }

  /**
   * Blocks this thread until `ready` returns true.
   *
   * JavaScript's signal handlers run only after it returns: a wait without a timeout is for threads
   * that have nothing else to do. It looks at an AbortSignal at the beginning and between sleeps.
   *
   * @returns Whether it is ready: false when the timeout passed.
   * @throws The signal's reason; what `ready` throws.
   */
  wait(ready: Ready, options: BlockingWaitOptions = {}): boolean {
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
    for (let unasked = false; ;) {
      const key = this.#announce(this.#words, STATE_WORD, BLOCKED);
      if (ready(unasked)) return true;
      const left = deadline - monotonicMs();
      if (left <= 0) return false;
      unasked = this.#sleep(key, Math.min(left, this.#sliceMs));
      signal?.throwIfAborted();
    }
  }

  /** @returns Whether nobody woke it. */
  #sleep(key: number, timeoutMs: number): boolean {
    if (!HAS_FUTEX || this.#isReadOnly) {
      sleepMs(Math.min(timeoutMs, POLL_MS));
      return true;
    }
    const result = futexWait(this.#memory.mapping.address + this.#offset, key, timeoutMs);
    if (result < 0 && !LOOK_AGAIN.has(result)) fail("Cannot wait", result, "futex");
    // Signals may come so often that no sleep ever lasts for its whole time.
    return result === -E.ETIMEDOUT || result === -E.EINTR;
  }

  /**
   * Waits in the event loop until `ready` returns true. It is woken by its bell, or by a thread
   * where no bell reaches it, and polls only now and then, in case a waker was killed.
   *
   * @param hasLooked Whether the caller has called `lookWhileHot`.
   * @returns Whether it is ready: false when the timeout passed, or the memory was unmapped.
   * @throws The signal's reason as soon as it is aborted; what `ready` throws.
   */
  async waitAsync(
    ready: Ready,
    options: AsyncWaitOptions = {},
    hasLooked = false,
  ): Promise<boolean> {
    const timeoutMs = checkTimeout(options.timeoutMs);
    options.signal?.throwIfAborted();
    if (ready()) return true;
    if (timeoutMs === 0) return false;
    if (!hasLooked && this.lookWhileHot(ready)) {
      if (isTurnDue()) await takeTurn();
      return true;
    }
    const deadline = monotonicMs() + timeoutMs;
    if (await this.#spinTurnsOf(ready, deadline, options)) return true;
    if (this.#isGone()) return false;
    return this.#waitForBell(ready, deadline, options);
  }

  /**
   * Looks for about as long as a turn of the event loop takes, where that has helped lately; and
   * now and then to find out whether it would. For callers that would wait in the event loop.
   * @returns Whether it is ready.
   */
  lookWhileHot(ready: Ready): boolean {
    if (!MAY_SPIN) return false;
    const looks = ++this.#hotWaits % SPIN_TRIAL_PERIOD === 0 ? HOT_LOOKS : this.#hotLooks;
    for (let look = 0; look < looks; look++) {
      if (!ready()) continue;
      this.#hotLooks = Math.min(Math.max(this.#hotLooks, look + 1) * 2, HOT_LOOKS);
      return true;
    }
    this.#hotLooks >>= 1;
    return false;
  }

  /**
   * Looks once in each turn of the event loop, for a few turns, because what comes that soon would
   * arrive later by a bell. Where that does not help, it takes fewer and fewer turns, down to one,
   * and tries the full number now and then.
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

  /** Ends every async wait of this object with false, before its memory is unmapped. */
  endWaits(): void {
    for (const endEarly of this.#pending.values()) endEarly();
  }

  /** Lets every async wait of this object look soon: what it waits for changed in this thread. */
  lookAgain(): void {
    for (const look of this.#pending.keys()) {
      queueMicrotask(() => void (this.#pending.has(look) && look(false)));
    }
  }

  #waitForBell(
    ready: Ready,
    deadline: number,
    { signal, ref = true }: AsyncWaitOptions,
  ): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    let timer: Timer | undefined;
    const end = (settle: () => void): true => {
      stopWaiting(look);
      this.#pending.delete(look);
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
      if (--this.#asyncWaits === 0) this.#stopListening();
      settle();
      return true;
    };
    const aborted = (): void => void end(() => reject(signal?.reason));
    const endEarly = (): void => void end(() => resolve(false));
    const look = (unasked: boolean): boolean => {
      if (this.#isGone()) return end(() => resolve(false));
      try {
        if (ready(unasked)) return end(() => resolve(true));
        // The wake that came took the flag, so it is set again before the next look.
        if (this.#isReadOnly) return false;
        const key = this.#announceAsync();
        if (ready()) return end(() => resolve(true));
        if (this.#bellWord < 0) this.#sleepOnThread(key);
        return false;
      } catch (error) {
        return end(() => reject(error));
      }
    };

    if (this.#asyncWaits++ === 0 && !this.#isReadOnly) this.#makeRoom();
    startWaiting(look, ref, this.#recheckMs);
    this.#pending.set(look, endEarly);
    if (look(false)) return promise;
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

  /** Removes the bells of the dead, where there is no room for one more. */
  #makeRoom(): void {
    const bells = this.#words.subarray(FIRST_BELL_WORD, FIRST_BELL_WORD + BELL_COUNT);
    if (bells.every((id) => id !== 0)) this.#ringBells();
  }

  /** Announces a wait in the event loop. @returns The key for a thread, where no bell helps. */
  #announceAsync(): number {
    const own = this.#isUnreachable ? 0 : ownBell();
    if (this.#bellWord >= 0 && load(this.#words, this.#bellWord) !== own) {
      this.#bellWord = -1;
      this.#isUnreachable = true;
    } else if (this.#bellWord < 0 && own !== 0) {
      this.#placeBell(own);
    }
    return this.#announce(this.#words, STATE_WORD, this.#bellWord < 0 ? BLOCKED : BELL);
  }

  #placeBell(own: number): void {
    for (let word = FIRST_BELL_WORD; word < FIRST_BELL_WORD + BELL_COUNT; word++) {
      if (compareExchange(this.#words, word, 0, own) !== 0) continue;
      this.#bellWord = word;
      return;
    }
  }

  /** Lets a thread sleep until the state is not `key`. One that sleeps with an older key ends. */
  #sleepOnThread(key: number): void {
    if (this.#thread !== undefined) return;
    try {
      const memory = memoryIn(this.#memory, this.#offset, WAIT_POINT_LENGTH);
      const ended = (result: number | Error): void => {
        if (this.#thread !== thread) return;
        this.#thread = undefined;
        // Without a thread, the periodic look is what ends the waits.
        if (result === 0) for (const look of this.#pending.keys()) look(false);
      };
      const thread = new ThreadWait(memory, ended, key);
      // The timer of the periodic look keeps the process alive, if a wait wants that.
      thread.keepAlive(false);
      this.#thread = thread;
    } catch {
      // There is no descriptor or no memory left for it: the next look tries again.
    }
  }

  #stopListening(): void {
    this.#thread?.cancel();
    this.#thread = undefined;
    const word = this.#bellWord;
    this.#bellWord = -1;
    // Unmapped memory has nothing to unregister from.
    if (word < 0 || this.#isGone()) return;
    const own = ownBell();
    if (compareExchange(this.#words, word, own, 0) !== own) this.#isUnreachable = true;
  }
}

function spin(ready: () => boolean, deadline: number): boolean {
  for (;;) {
    for (let poll = 0; poll < POLLS_PER_CLOCK; poll++) if (ready()) return true;
    if (monotonicMs() >= deadline) return false;
  }
}
