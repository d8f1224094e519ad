/**
 * Who may touch a message queue, and what happens when one of them dies.
 *
 * C programs know only the mutex, a semaphore that does not say who holds it. Between Bun's
 * handles a lock in the bookkeeping comes first, whose word names its holder: so at most one
 * handle, the lock's holder, has the mutex, and these are the cases:
 *
 * 1. The lock's holder is dead (the kernel says so: its lock byte is free). The next who wants it
 *    inherits it. Did the dead one hold the mutex? If the journal names a slot, yes: the heir
 *    finishes or undoes the operation and posts the mutex, and the token that belongs to it.
 *    Otherwise perhaps: see 2.
 * 2. The lock's holder cannot get the mutex. No living handle has it, so a C program does, or the
 *    dead do. If no living process but the handles' has the object mapped, it is the dead. If one
 *    has, it gets QUEUE_MUTEX_PATIENCE_MS; a stopped one has as long as it takes.
 * 3. Tokens are lost: count, items and spaces do not add up. Nor do they while somebody is between
 *    two steps. So whoever waits in vain looks twice; if nothing at all moved in between, nobody
 *    living is between two steps, but those whose words say so. The tokens are then made to fit.
 *
 * A wrong guess in 3 makes a token too many. Handles check count under the mutex and drop such a
 * token; so only a C consumer can be misled, one that the scheduler kept away for that long.
 */
import { findMappers, isStopped, mappedObject } from "../memory/processes.ts";
import { monotonicMs } from "../libc/time.ts";
import { BOOK_OPERATIONS_WORD, BOOK_REPAIRED_WORD } from "../layout/message-queue-layout.ts";
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
import type { OwnedLock } from "./owned-lock.ts";
import { ITEMS, type Participant, SPACES } from "./participants.ts";
import type { TokenCounter } from "./polled-tokens.ts";

/** What a queue is made of. */
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

type Foreigners = "none" | "living" | "stopped";

interface Look {
  readonly state: string;
  readonly sinceMs: number;
  readonly words: Int32Array;
}

/** See the top of the file. */
export class QueueGuard {
  readonly #parts: QueueParts;
  readonly #log: (message: string) => void;
  readonly #object: string | undefined;
  #look: Look | undefined;
  #stuck: { readonly state: string; readonly sinceMs: number } | undefined;

  /** @param log Receives each repair, which is counted here. */
  constructor(parts: QueueParts, log: (message: string) => void) {
    this.#parts = parts;
    this.#log = log;
    this.#object = mappedObject(parts.segment.mapping.address);
    parts.slots.onCorrected = () => {
      this.repaired("A C program died between two stores: count agrees with head and tail again");
    };
    // This place's last user died with the lock: to the others it looks alive again.
    if (parts.lock.ownedBySelf) {
      this.#inherit();
      parts.lock.unlock();
    }
  }

  /** Counts a repair, and reports it. */
  repaired(message: string): void {
    add(this.#parts.book, BOOK_REPAIRED_WORD, 1);
    this.#log(message);
  }

  /** Takes the lock. @returns false when the time was over. */
  lock(timeoutMs: number): boolean {
    const { lock } = this.#parts;
    if (lock.tryLock()) return true;
    const outcome = lock.lock(timeoutMs);
    if (outcome !== "inherited") return outcome === "locked";
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
    if (!slots.interrupted) {
      this.repaired("A handle died outside the mutex, with the lock: it was taken over");
      return;
    }
    const finished = slots.finish();
    if (finished === "enqueued" || finished === "not dequeued") items.post();
    if (finished === "not enqueued" || finished === "dequeued") spaces.post();
    mutex.post();
    this.repaired(`A handle died inside the mutex; its message was ${finished}`);
  }

  /** Takes the mutex; for the lock's holder. @returns false when the time was over. */
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

  /** Case 2; remembers between calls how long nothing has moved. */
  #mutexIsLost(): boolean {
    const state = this.#state();
    const now = monotonicMs();
    if (this.#stuck?.state !== state) this.#stuck = { state, sinceMs: now };
    const stuckMs = now - this.#stuck.sinceMs;
    const foreigners = this.#foreigners();
    if (foreigners === "stopped") return false;
    if (foreigners === "living" && stuckMs < QUEUE_MUTEX_PATIENCE_MS) return false;
    this.#stuck = undefined;
    return true;
  }

  /** Whether processes other than the handles' have the object mapped. */
  #foreigners(): Foreigners {
    const { participant, segment } = this.#parts;
    const mappers = this.#object === undefined ? undefined : findMappers(this.#object);
    if (mappers === undefined) return "living";
    const handles = participant.processIds();
    const foreign = [...mappers.known].filter((id) => id !== process.pid && !handles.has(id));
    if (foreign.some(isStopped)) return "stopped";
    // Processes that may not be looked at can have it mapped if its mode lets other users in.
    const unseen = mappers.hidden && (segment.mode & 0o077) !== 0;
    return foreign.length > 0 || unseen ? "living" : "none";
  }

  #state(): string {
    const { slots, book, mutex, items, spaces } = this.#parts;
    const values = [mutex.value, items.value, spaces.value];
    return `${slots.position} ${load(book, BOOK_OPERATIONS_WORD)} ${values.join(" ")}`;
  }

  #addsUp(): boolean {
    const { slots, mutex, items, spaces } = this.#parts;
    const count = slots.depth;
    if (mutex.value !== 1 || !slots.consistent) return false;
    return items.value === count && spaces.value === slots.slots - count;
  }

  /** Case 3: for one who waited in vain, and has neither the lock nor a token. */
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
    this.#makeFit(this.#look);
    this.#look = undefined;
  }

  #makeFit(look: Look): void {
    const { lock, mutex, slots, items, spaces, participant } = this.#parts;
    if (!this.lock(SLICE_MS)) return;
    let held = false;
    try {
      if (mutex.value === 0) {
        // Whoever waits for it has a token in hand: only look at the tokens once it is free.
        held = this.takeMutex(QUEUE_MUTEX_PATIENCE_MS);
        return;
      }
      const moved = this.#state() !== look.state;
      held = this.takeMutex(SLICE_MS);
      if (!held || moved) return;
      const count = slots.reconcile();
      const itemsInHand = participant.tokensInHand(ITEMS, look.words);
      const spacesInHand = participant.tokensInHand(SPACES, look.words);
      const changes = [
        adjust(items, count - itemsInHand, count),
        adjust(spaces, slots.slots - count - spacesInHand, slots.slots - count),
        adjust(mutex, 0, 0),
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

/** Brings a semaphore into a range, by as little as possible. @returns By how much. */
function adjust(counter: TokenCounter, low: number, high: number): number {
  const { value } = counter;
  if (value < low) {
    counter.post(low - value);
    return low - value;
  }
  let taken = 0;
  while (value - taken > high && counter.tryWait()) taken++;
  return -taken;
}
