/**
 * Who may touch a message queue, and how it is repaired when one of them dies.
 *
 * C programs know only the mutex, a semaphore that does not record its holder. Bun's handles take a
 * lock in the bookkeeping first, whose word names its holder, so that only the lock's holder can
 * hold the mutex among them. There are three cases:
 *
 * 1. The lock's holder is dead, says the kernel. The next handle that wants
 *    the lock inherits it. If the journal names a slot, the dead holder also held the mutex: the
 *    heir finishes or undoes the operation, and posts the mutex and the token that belongs to it.
 *    Otherwise it may have held the mutex, which is case 2.
 * 2. The lock's holder cannot get the mutex. No living handle holds it, so a C program does, or the
 *    dead do. If no living process other than the handles' has the object mapped, it is the dead.
 *    If one has, it gets QUEUE_MUTEX_PATIENCE_MS; a stopped process gets as long as it takes.
 * 3. Tokens are lost, so that count, items and spaces do not add up. But they do not add up either
 *    while somebody is between two steps. So a handle that has waited without success looks twice.
 *    If nothing has moved in between, no living process is between two steps, other than those
 *    whose words say so, and the tokens are made to fit.
 *
 * A wrong guess in case 3 makes one token too many. Handles compare it with count under the mutex,
 * and drop it. So it can mislead only a C program that the scheduler kept from running for all of
 * that time; where none has the object mapped, that is asked again once the tokens were counted.
 */
import { findMappers, isStopped, mappedObject } from "../memory/processes.ts";
import { monotonicMs } from "../libc/time.ts";
import { BOOK_OPERATIONS_WORD, BOOK_REPAIRED_WORD } from "../layout/message-queue-layout.ts";
import { INHERITED, TAKEN } from "../locks/algorithm/lock-core.ts";
import type { OwnedLock } from "../locks/owned-lock.ts";
import { add, load } from "../memory/atomics.ts";
import {
  QUEUE_MUTEX_PATIENCE_MS,
  QUEUE_MUTEX_TRIES,
  QUEUE_QUIET_MS,
  QUEUE_QUIET_WITH_C_MS,
  SLICE_MS,
} from "../waiting/limits.ts";
import type { SlotQueue } from "./slots.ts";
import type { Segment } from "../segment/segment.ts";
import { ITEMS, type Participant, SPACES } from "./participants.ts";
import type { TokenCounter } from "./polled-tokens.ts";

/** The parts of an open queue. */
export interface QueueParts {
  readonly segment: Segment;
  readonly book: Int32Array;
  readonly slots: SlotQueue;
  readonly lock: OwnedLock;
  readonly participant: Participant;
  readonly mutex: TokenCounter;
  readonly items: TokenCounter;
  readonly spaces: TokenCounter;
}

/** The state of the processes that have the object mapped and are not Bun's handles. */
type Foreigners = "none" | "living" | "stopped";

/** What one look at a queue saw, to compare with a later one. */
interface Look {
  readonly state: string;
  readonly sinceMs: number;
  readonly words: Int32Array;
}

/** One handle's guard: see the top of the file. */
export class QueueGuard {
  readonly #parts: QueueParts;
  readonly #log: (message: string) => void;
  readonly #object: string | undefined;
  #look: Look | undefined;
  #stuck: { readonly state: string; readonly sinceMs: number } | undefined;

  /** @param log Receives a message about each repair. */
  constructor(parts: QueueParts, log: (message: string) => void) {
    this.#parts = parts;
    this.#log = log;
    this.#object = mappedObject(parts.segment.mapping.address);
    parts.slots.onCorrected = () => {
      this.repaired("A C program died between two stores: count agrees with head and tail again");
    };
  }

  /** Counts a repair, and logs it. */
  repaired(message: string): void {
    add(this.#parts.book, BOOK_REPAIRED_WORD, 1);
    this.#log(message);
  }

  /** Takes the lock. @returns Whether it did: false when the timeout passed. */
  lock(timeoutMs: number): boolean {
    const { lock } = this.#parts;
    const outcome = lock.lockFor(timeoutMs);
    if (outcome !== INHERITED) return outcome === TAKEN;
    try {
      this.#inherit();
      return true;
    } catch (error) {
      lock.unlock();
      throw error;
    }
  }

  #inherit(): void {
    const { slots, mutex, items, spaces } = this.#parts;
    if (!slots.isInterrupted) {
      this.repaired("A handle died outside the mutex, with the lock: it was taken over");
      return;
    }
    const finished = slots.finish();
    if (finished === "enqueued" || finished === "not dequeued") items.post();
    if (finished === "not enqueued" || finished === "dequeued") spaces.post();
    mutex.post();
    this.repaired(`A handle died inside the mutex; its message was ${finished}`);
  }

  /**
   * Takes the mutex, as the lock's holder. @returns Whether it did: false when the timeout passed.
   */
  takeMutex(timeoutMs: number): boolean {
    const { mutex } = this.#parts;
    if (mutex.tryWait()) return true;
    for (let spin = 0; spin < QUEUE_MUTEX_TRIES; spin++) if (mutex.tryWait()) return true;
    const deadline = monotonicMs() + timeoutMs;
    for (;;) {
      const left = deadline - monotonicMs();
      if (mutex.wait({ timeoutMs: Math.max(Math.min(left, SLICE_MS), 0) })) return true;
      if (this.#mutexIsLost()) {
        this.repaired("The mutex was held by the dead: it was taken over");
        return true;
      }
      if (left <= SLICE_MS) return false;
    }
  }

  /** Decides case 2; remembers from call to call how long nothing has moved. */
  #mutexIsLost(): boolean {
    const state = this.#state();
    const now = monotonicMs();
    if (this.#stuck?.state !== state) this.#stuck = { state, sinceMs: now };
    const stuckMs = now - this.#stuck.sinceMs;
    const foreigners = this.#foreigners();
    if (foreigners === "stopped") return false;
    if (foreigners === "living" && stuckMs < QUEUE_MUTEX_PATIENCE_MS) return false;
    // While they were looked for, one may have ended after another had come and taken the mutex.
    if (this.#state() !== state) return false;
    this.#stuck = undefined;
    return true;
  }

  /** Looks whether processes other than the handles' have the object mapped. */
  #foreigners(): Foreigners {
    const { participant, segment } = this.#parts;
    const mappers = this.#object === undefined ? undefined : findMappers(this.#object);
    if (mappers === undefined) return "living";
    const handles = participant.processIds();
    const foreign = [...mappers.known].filter((id) => id !== process.pid && !handles.has(id));
    if (foreign.some(isStopped)) return "stopped";
    // A process that this user may not inspect can have it mapped only if the mode lets others in.
    const unseen = mappers.hidden && (segment.mode & 0o077) !== 0;
    return foreign.length > 0 || unseen ? "living" : "none";
  }

  #state(): string {
    const { slots, book, mutex, items, spaces } = this.#parts;
    const values = [mutex.value, items.value, spaces.value];
    return `${slots.indices} ${load(book, BOOK_OPERATIONS_WORD)} ${values.join(" ")}`;
  }

  #addsUp(): boolean {
    const { slots, mutex, items, spaces } = this.#parts;
    const count = slots.depth;
    if (mutex.value !== 1 || !slots.isConsistent) return false;
    return items.value === count && spaces.value === slots.slots - count;
  }

  /**
   * Decides case 3, after a wait without success; the caller holds neither the lock nor a token.
   */
  audit(): void {
    if (this.#addsUp()) {
      this.#look = undefined;
      return;
    }
    const state = this.#state();
    const now = monotonicMs();
    if (this.#look?.state !== state) {
      this.#look = { state, sinceMs: now, words: this.#parts.participant.snapshot() };
      return;
    }
    const quietMs = now - this.#look.sinceMs;
    if (quietMs < QUEUE_QUIET_MS) return;
    const foreigners = this.#foreigners();
    if (foreigners === "stopped" || (foreigners === "living" && quietMs < QUEUE_QUIET_WITH_C_MS))
      return;
    this.#makeFit(this.#look, foreigners);
    this.#look = undefined;
  }

  /** @param foreigners What was seen of them after the look. */
  #makeFit(look: Look, foreigners: Foreigners): void {
    const { lock, mutex, slots, items, spaces, participant } = this.#parts;
    if (!this.lock(SLICE_MS)) return;
    let held = false;
    try {
      if (mutex.value === 0) {
        // Those who wait for the mutex have a token in hand, so the tokens are judged only after it
        // is free.
        held = this.takeMutex(QUEUE_MUTEX_PATIENCE_MS);
        return;
      }
      const moved = this.#state() !== look.state;
      held = this.takeMutex(SLICE_MS);
      if (!held || moved) return;
      const found = [items.value, spaces.value, mutex.value] as const;
      // A C program that has come since may have a token in hand. It maps the object first: so if
      // there is none now, whoever comes takes its tokens after these values were read.
      if (foreigners === "none" && this.#foreigners() !== "none") return;
      const count = slots.reconcile();
      const room = slots.slots - count;
      const itemsInHand = participant.tokensInHand(ITEMS, look.words);
      const spacesInHand = participant.tokensInHand(SPACES, look.words);
      const changes = [
        adjust(items, found[0], [count - itemsInHand, count], slots.slots),
        adjust(spaces, found[1], [room - spacesInHand, room], slots.slots),
        adjust(mutex, found[2], [0, 0], 1),
      ];
      if (changes.every((change) => change === 0)) return;
      const [more, free, locks] = changes;
      this.repaired(`Tokens were lost or too many: items ${more}, spaces ${free}, mutex ${locks}`);
    } finally {
      if (held) mutex.post();
      lock.unlock();
    }
  }
}

/**
 * Brings a counter into a range by the smallest change.
 *
 * @param found What it was when its range was decided; others may have used it since.
 * @param most The most tokens that there can be.
 * @returns The change.
 */
function adjust(
  counter: TokenCounter,
  found: number,
  [low, high]: readonly [low: number, high: number],
  most: number,
): number {
  const missing = low - found;
  if (missing <= 0) return found > high ? -counter.takeAbove(high, most) : 0;
  counter.post(missing);
  return missing;
}
