/** How texts go into a queue and come out of it through one handle, and what that counts. */
import { shown } from "../arguments.ts";
import { ClosedError } from "../errors.ts";
import { monotonicMs } from "../libc/time.ts";
import { AsyncLine } from "../waiting/async-line.ts";
import { MAY_SPIN, QUEUE_LOOKS, RECHECK_MS, SLICE_MS } from "../waiting/limits.ts";
import { type AsyncWaitOptions, type WaitOptions, checkTimeout } from "../waiting/wait-options.ts";
import { QueueGuard } from "./guard.ts";
import { type OpenQueue, closeQueue } from "./lifecycle.ts";
import type { QueueLog } from "./options.ts";
import { ITEMS, SPACES, type TokenKind } from "./participants.ts";
import type { TokenCounter, TokenWait } from "./polled-tokens.ts";

const LOOKS: number = MAY_SPIN ? QUEUE_LOOKS : 0;
/** Of this many tries in vain one looks whether tokens were lost. */
const AUDIT_PERIOD = 64;

/** What a handle counts; pairs are by kind of token: items (out, empty), spaces (in, full). */
export interface ExchangeCounts {
  /** Texts taken out, put in; and their bytes. */
  readonly done: readonly [number, number];
  readonly bytes: readonly [number, number];
  /** Calls that found no token: empty, full. */
  readonly hits: readonly [number, number];
  readonly waits: number;
  readonly timeouts: number;
}

/** One handle's operations: those with ITEMS take a text out, those with SPACES put one in. */
export class QueueExchange {
  readonly #queue: OpenQueue;
  readonly #guard: QueueGuard;
  readonly #lines: readonly [AsyncLine, AsyncLine] = [new AsyncLine(), new AsyncLine()];
  readonly #done: [number, number] = [0, 0];
  readonly #bytes: [number, number] = [0, 0];
  readonly #hits: [number, number] = [0, 0];
  #waits = 0;
  #timeouts = 0;
  #closed = false;
  #text = "";

  constructor(queue: OpenQueue, log: QueueLog) {
    this.#queue = queue;
    this.#guard = new QueueGuard(queue, (message) => log("repaired", message));
  }

  /** The text that the last operation with ITEMS took out. */
  get text(): string {
    return this.#text;
  }

  get counts(): ExchangeCounts {
    const [done, bytes, hits] = [this.#done, this.#bytes, this.#hits];
    return { done, bytes, hits, waits: this.#waits, timeouts: this.#timeouts };
  }

  /** Whether `close` was called, or the segment is closed. */
  get closed(): boolean {
    return this.#closed || this.#queue.segment.closed;
  }

  /** @throws ClosedError. */
  checkOpen(): void {
    if (!this.closed) return;
    // Where the segment was closed under it, the rest goes with it.
    this.close();
    throw new ClosedError(`message queue ${shown(this.#queue.segment.name)}`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeQueue(this.#queue);
  }

  /** One operation if there is a token now. */
  attempt(kind: TokenKind, text: string): boolean {
    return this.#attempt(kind, text, false, SLICE_MS);
  }

  /** After an attempt in vain that is not to be waited for. */
  giveUp(kind: TokenKind): void {
    if (++this.#hits[kind] % AUDIT_PERIOD === 0) this.#guard.audit();
  }

  /**
   * After an attempt in vain: one operation; blocks until there is a token.
   * @returns false when the time was over.
   */
  wait(kind: TokenKind, text: string, options: WaitOptions | undefined): boolean {
    const { timeoutMs, signal } = options ?? {};
    if (timeoutMs === 0) {
      this.giveUp(kind);
      this.#timeouts++;
      return false;
    }
    this.#hits[kind]++;
    this.#waits++;
    const deadline = monotonicMs() + checkTimeout(timeoutMs);
    for (let look = 0; look < LOOKS; look++) {
      if (this.#looksReady(kind) && this.#attempt(kind, text, false, 0)) return true;
    }
    const { participant } = this.#queue;
    for (;;) {
      signal?.throwIfAborted();
      const left = deadline - monotonicMs();
      if (left <= 0) {
        this.#timeouts++;
        return false;
      }
      participant.waits(kind);
      const took = this.#counter(kind).wait({ timeoutMs: Math.min(left, SLICE_MS) });
      participant.waited(kind, took);
      if (!took) this.#guard.audit();
      else if (this.#attempt(kind, text, true, Math.max(left, SLICE_MS))) return true;
    }
  }

  /**
   * One operation; the event loop goes on until there is a token.
   * @returns The text, "" for one that was put in; undefined when the time was over.
   */
  async waitAsync(
    kind: TokenKind,
    text: string,
    { timeoutMs, signal, ref }: AsyncWaitOptions,
  ): Promise<string | undefined> {
    const deadline = monotonicMs() + checkTimeout(timeoutMs);
    const line = this.#lines[kind];
    if (!(await line.enter(deadline - monotonicMs(), signal, ref))) {
      this.#timeouts++;
      return undefined;
    }
    try {
      let took = false;
      for (let attempts = 0; ; attempts++) {
        this.checkOpen();
        if (this.#attempt(kind, text, took, SLICE_MS)) return kind === ITEMS ? this.#text : "";
        if (attempts === 0) {
          this.#hits[kind]++;
          this.#waits++;
        }
        const left = deadline - monotonicMs();
        if (left <= 0) {
          this.#timeouts++;
          return undefined;
        }
        const slice = { timeoutMs: Math.min(left, RECHECK_MS), signal, ref };
        took = await this.#sliceAsync(kind, slice);
        if (!took && !this.closed) this.#guard.audit();
      }
    } finally {
      line.leave();
    }
  }

  async #sliceAsync(kind: TokenKind, options: TokenWait): Promise<boolean> {
    const { participant } = this.#queue;
    let took = false;
    participant.waits(kind);
    try {
      took = await this.#counter(kind).waitAsync(options);
    } catch (error) {
      // Whatever a counter says of its own end: the queue is closed.
      this.checkOpen();
      throw error;
    } finally {
      if (!this.closed) participant.waited(kind, took);
    }
    return took;
  }

  /**
   * One operation, if there is a token.
   *
   * @param hasToken Whether the caller waited for one.
   * @param patienceMs How long to wait for those who are inside.
   */
  #attempt(kind: TokenKind, text: string, hasToken: boolean, patienceMs: number): boolean {
    const { slots, lock, mutex } = this.#queue;
    const own = this.#counter(kind);
    let locked = false;
    let token = hasToken;
    let held = false;
    let done = false;
    try {
      locked = lock.tryLock() || (patienceMs > 0 && this.#guard.lock(patienceMs));
      if (!locked) return false;
      token ||= own.tryWait();
      if (!token) return false;
      held = mutex.tryWait() || (patienceMs > 0 && this.#guard.takeMutex(patienceMs));
      if (!held) return false;
      done = kind === SPACES ? slots.enqueue(text) : this.#take();
      // One that led nowhere was one too many, and is not given back either.
      token = false;
      if (done) this.#bytes[kind] += slots.lastLength;
      else this.#guard.repaired("A token too many was dropped");
    } finally {
      if (held) mutex.post();
      if (done) (kind === ITEMS ? this.#queue.spaces : this.#queue.items).post();
      if (token) own.post();
      if (locked) lock.unlock();
      if (hasToken) this.#queue.participant.used(kind);
    }
    if (done) this.#done[kind]++;
    return done;
  }

  #take(): boolean {
    const text = this.#queue.slots.dequeue();
    if (text !== undefined) this.#text = text;
    return text !== undefined;
  }

  #counter(kind: TokenKind): TokenCounter {
    return kind === ITEMS ? this.#queue.items : this.#queue.spaces;
  }

  /** Whether it looks as if an operation could succeed. */
  #looksReady(kind: TokenKind): boolean {
    const { slots } = this.#queue;
    return kind === ITEMS ? slots.depth > 0 : slots.depth < slots.slots;
  }
}
