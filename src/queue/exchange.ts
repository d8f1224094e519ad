/** How texts go into a queue and come out of it through one handle, and how that is counted. */
import { shown } from "../arguments.ts";
import { ClosedError, StateError, SystemError } from "../errors.ts";
import { monotonicMs } from "../libc/time.ts";
import { isMine } from "../locks/algorithm/lock-core.ts";
import { AsyncLine } from "../waiting/async-line.ts";
import { MAY_SPIN, QUEUE_LOOKS, RECHECK_MS, SLICE_MS } from "../waiting/limits.ts";
import { isTurnDue, takeTurn } from "../waiting/turns.ts";
import { type AsyncWaitOptions, type WaitOptions, checkTimeout } from "../waiting/wait-options.ts";
import { QueueGuard } from "./guard.ts";
import { type OpenQueue, closeQueue } from "./lifecycle.ts";
import { ITEMS, SPACES, type TokenKind } from "./participants.ts";
import type { TokenCounter, TokenWait } from "./polled-tokens.ts";
import type { QueueLog } from "./queue-log.ts";

const LOOKS: number = MAY_SPIN ? QUEUE_LOOKS : 0;
/** One failed try in so many looks whether tokens were lost. */
const AUDIT_PERIOD = 64;

/** What a handle counts. The first of a pair is for ITEMS, the second for SPACES. */
export interface ExchangeCounts {
  /** Texts taken out, and put in. */
  readonly done: readonly [number, number];
  /** Bytes taken out, and put in. */
  readonly bytes: readonly [number, number];
  /** Calls that found the queue empty, and full. */
  readonly misses: readonly [number, number];
  readonly waits: number;
  readonly timeouts: number;
}

/**
 * One handle's operations: with ITEMS they take a text out, and with SPACES they put one in.
 *
 * Each kind has a line of asynchronous calls. While it has any, no other call of the handle comes
 * before them. The log is delivered only where the handle holds neither lock nor token, since the
 * user's logger may call or close the handle.
 */
export class QueueExchange {
  readonly #queue: OpenQueue;
  readonly #guard: QueueGuard;
  readonly #log: QueueLog;
  readonly #lines: readonly [AsyncLine, AsyncLine] = [new AsyncLine(), new AsyncLine()];
  readonly #done: [number, number] = [0, 0];
  readonly #bytes: [number, number] = [0, 0];
  readonly #misses: [number, number] = [0, 0];
  #waits = 0;
  #timeouts = 0;
  #closed = false;

  constructor(queue: OpenQueue, log: QueueLog) {
    this.#queue = queue;
    this.#log = log;
    this.#guard = new QueueGuard(queue, (message) => log.note("repaired", message));
  }

  get counts(): ExchangeCounts {
    const [done, bytes, misses] = [this.#done, this.#bytes, this.#misses];
    return { done, bytes, misses, waits: this.#waits, timeouts: this.#timeouts };
  }

  /** Whether `close` was called, or the segment is closed. */
  get closed(): boolean {
    return this.#closed || this.#queue.segment.closed;
  }

  /** @throws ClosedError. */
  checkOpen(): void {
    if (!this.closed) return;
    // If only the segment was closed, the other parts are closed now.
    this.close();
    throw new ClosedError(`message queue ${shown(this.#queue.segment.name)}`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeQueue(this.#queue);
  }

  /**
   * Does one operation if there is a token now, and no asynchronous call waits for one.
   * @returns The text taken out, or "" for one put in; undefined when it did nothing.
   */
  attempt(kind: TokenKind, text: string): string | undefined {
    return this.#lines[kind].taken ? undefined : this.#attempt(kind, text, false, SLICE_MS);
  }

  /** Counts a failed attempt that will not be followed by a wait. */
  giveUp(kind: TokenKind): void {
    if (++this.#misses[kind] % AUDIT_PERIOD === 0) this.#audit();
  }

  /**
   * Blocks, after a failed attempt, until there is a token, and then does one operation.
   *
   * @param action The start of the message, as in `Cannot dequeue from message queue "/x"`.
   * @returns What `attempt` returns: undefined when the timeout passed.
   * @throws StateError EBUSY when asynchronous calls wait.
   */
  wait(
    kind: TokenKind,
    text: string,
    action: string,
    options: WaitOptions | undefined,
  ): string | undefined {
    const { timeoutMs, signal } = options ?? {};
    if (timeoutMs === 0) {
      this.giveUp(kind);
      this.#timeouts++;
      return undefined;
    }
    this.checkOpen();
    if (this.#lines[kind].taken) {
      const why = "asynchronous calls of this handle wait before this one, and blocking the thread";
      throw new StateError("EBUSY", `${action}: ${why} would keep them waiting. Await them first`);
    }
    this.#misses[kind]++;
    this.#waits++;
    const deadline = monotonicMs() + checkTimeout(timeoutMs);
    for (let look = 0; look < LOOKS; look++) {
      if (!this.#looksReady(kind)) continue;
      const done = this.#attempt(kind, text, false, 0);
      if (done !== undefined) return done;
      this.checkOpen();
    }
    const { participant } = this.#queue;
    for (;;) {
      signal?.throwIfAborted();
      const left = deadline - monotonicMs();
      if (left <= 0) {
        this.#timeouts++;
        return undefined;
      }
      let took = false;
      participant.startWait(kind);
      try {
        took = this.#counter(kind).wait({ timeoutMs: Math.min(left, SLICE_MS) });
      } finally {
        participant.endWait(kind, took);
      }
      const done = took && this.#attempt(kind, text, true, Math.max(left, SLICE_MS));
      if (typeof done === "string") return done;
      if (!took) this.#audit();
      this.checkOpen();
    }
  }

  /**
   * Does one operation as soon as there is a token, without blocking the event loop.
   * @returns What `attempt` returns: undefined when the timeout passed.
   */
  async waitAsync(
    kind: TokenKind,
    text: string,
    options: AsyncWaitOptions,
  ): Promise<string | undefined> {
    const done = this.attempt(kind, text);
    if (done === undefined) return this.#waitInLine(kind, text, options);
    if (isTurnDue()) await takeTurn();
    return done;
  }

  async #waitInLine(
    kind: TokenKind,
    text: string,
    { timeoutMs, signal, ref }: AsyncWaitOptions,
  ): Promise<string | undefined> {
    this.#misses[kind]++;
    const limitMs = checkTimeout(timeoutMs);
    const deadline = monotonicMs() + limitMs;
    const line = this.#lines[kind];
    if (limitMs > 0) this.#waits++;
    if (limitMs === 0 || !(await line.enter(limitMs, signal, ref))) {
      this.#timeouts++;
      return undefined;
    }
    try {
      let took = false;
      for (;;) {
        this.checkOpen();
        const done = this.#attempt(kind, text, took, SLICE_MS);
        if (done !== undefined) return done;
        // Whoever changes the tokens all the time must not keep the event loop from turning.
        if (took) await takeTurn();
        this.checkOpen();
        const left = deadline - monotonicMs();
        if (left <= 0) {
          this.#timeouts++;
          return undefined;
        }
        const slice = { timeoutMs: Math.min(left, RECHECK_MS), signal, ref };
        took = await this.#sliceAsync(kind, slice);
        if (!took) this.#audit();
      }
    } finally {
      line.leave();
    }
  }

  async #sliceAsync(kind: TokenKind, options: TokenWait): Promise<boolean> {
    const { participant } = this.#queue;
    let took = false;
    participant.startWait(kind);
    try {
      took = await this.#counter(kind).waitAsync(options);
    } catch (error) {
      // A closed counter throws an error of its own, but it is the queue that the user closed.
      this.checkOpen();
      throw error;
    } finally {
      if (!this.closed) participant.endWait(kind, took);
    }
    return took;
  }

  /**
   * Does one operation if there is a token.
   *
   * @param hasToken Whether the caller has taken the token already.
   * @param patienceMs How long to wait for those who hold the lock or the mutex, in ms; 0 only
   *   looks.
   * @returns The text taken out, or "" for one put in; undefined when it did nothing.
   */
  #attempt(
    kind: TokenKind,
    text: string,
    hasToken: boolean,
    patienceMs: number,
  ): string | undefined {
    const { slots, lock, mutex, items, spaces } = this.#queue;
    const own = this.#counter(kind);
    let locked = false;
    let token = hasToken;
    let held = false;
    let done: string | undefined;
    try {
      locked = isMine(lock.tryTake()) || (patienceMs > 0 && this.#guard.lock(patienceMs));
      if (!locked) return undefined;
      token ||= own.tryWait();
      if (!token) return undefined;
      held = mutex.tryWait() || (patienceMs > 0 && this.#guard.takeMutex(patienceMs));
      if (!held) return undefined;
      if (kind === ITEMS) done = slots.dequeue();
      else if (slots.enqueue(text)) done = "";
      // A token that led to nothing was one too many, so it is not given back either.
      token = false;
      if (done !== undefined) this.#bytes[kind] += slots.lastLength;
      // There is nothing for this token, so there is nothing for any further one.
      else this.#dropTokens(1 + own.takeAbove(0, slots.slots));
    } finally {
      try {
        if (held) this.#give(mutex, 1);
        if (done !== undefined && kind === ITEMS) this.#give(spaces, slots.slots - slots.depth);
        if (done !== undefined && kind === SPACES) this.#give(items, slots.depth);
        if (token) own.post();
      } finally {
        if (locked) lock.unlock();
        if (hasToken) this.#queue.participant.endToken(kind);
        if (done !== undefined) this.#done[kind]++;
        this.#log.deliver();
      }
    }
    return done;
  }

  /** Posts a token. Where that makes more than there can be, none above `limit` stays. */
  #give(counter: TokenCounter, limit: number): void {
    try {
      counter.post();
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== "EOVERFLOW") throw error;
      this.#dropTokens(counter.takeAbove(limit, this.#queue.slots.slots));
    }
  }

  #dropTokens(count: number): void {
    const tokens = count === 1 ? "A token too many was" : `${count} tokens too many were`;
    this.#guard.repaired(`${tokens} dropped`);
  }

  /** Looks whether tokens were lost; the caller holds neither lock nor token. */
  #audit(): void {
    // The logger may have closed the handle.
    if (this.closed) return;
    this.#guard.audit();
    this.#log.deliver();
  }

  #counter(kind: TokenKind): TokenCounter {
    return kind === ITEMS ? this.#queue.items : this.#queue.spaces;
  }

  /** Whether an operation seems possible. */
  #looksReady(kind: TokenKind): boolean {
    const { slots } = this.#queue;
    return kind === ITEMS ? slots.depth > 0 : slots.depth < slots.slots;
  }
}
