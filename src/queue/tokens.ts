/** The three counters of a message queue: named semaphores, or what takes their place. */
import { shown } from "../arguments.ts";
import { LayoutError, SystemError, UnsupportedError } from "../errors.ts";
import {
  BOOK_MODE_WORD,
  BOOK_SEMAPHORES_OFFSET,
  BOOK_SEMAPHORE_LENGTH,
  QUEUE_MODE_IN_SEGMENT,
  QUEUE_MODE_NAMED,
  QUEUE_MODE_POLLING,
  type QueueGeometry,
  bookOffset,
} from "../layout/message-queue-layout.ts";
import type { Segment } from "../segment/segment.ts";
import { Semaphore } from "../semaphore/semaphore.ts";
import { FOR_CREATOR, waitUntil } from "../waiting/patience.ts";
import { bookOf } from "./book.ts";
import { QUEUE_MODES, type QueueLog, type QueuePlace } from "./options.ts";
import { PolledTokens, type TokenCounter } from "./polled-tokens.ts";

/** Mutex, items, spaces. */
export type Counters = readonly [TokenCounter, TokenCounter, TokenCounter];

/** Makes the counters as wanted, or the next best. @returns The mode, and them. */
export function makeCounters(
  place: QueuePlace,
  segment: Segment,
  wanted: number,
  mode: number | undefined,
  log: QueueLog,
): [number, Counters] {
  const values = [1, 0, place.geometry.slots] as const;
  const say = (instead: string, error: unknown): void => {
    if (!(error instanceof SystemError) && !(error instanceof UnsupportedError)) throw error;
    log("degraded", `${error.message}. The queue uses ${instead} instead; C programs cannot join`);
  };
  if (wanted === QUEUE_MODE_NAMED) {
    try {
      return [QUEUE_MODE_NAMED, makeNamed(namesOf(place), values, mode, log)];
    } catch (error) {
      say("semaphores inside its segment", error);
    }
  }
  if (wanted <= QUEUE_MODE_IN_SEGMENT) {
    try {
      const init = (which: number): Semaphore => {
        const offset =
          bookOffset(place.geometry) + BOOK_SEMAPHORES_OFFSET + which * BOOK_SEMAPHORE_LENGTH;
        return Semaphore.init(segment, offset, { value: values[which]! });
      };
      return [QUEUE_MODE_IN_SEGMENT, [init(0), init(1), init(2)]];
    } catch (error) {
      say("polling", error);
    }
  }
  const polled = polledCounters(bookOf(segment, place.geometry));
  values.forEach((value, which) => polled[which]!.post(value));
  return [QUEUE_MODE_POLLING, polled];
}

/** @throws UnsupportedError when the queue's name gives none. */
function namesOf({ name, semaphores }: QueuePlace): readonly [string, string, string] {
  if (semaphores !== undefined) return semaphores;
  const what = `Cannot name the semaphores of message queue ${shown(name)}`;
  throw new UnsupportedError(`${what}: it is no POSIX object. Pass { semaphores }`);
}

function makeNamed(
  names: readonly [string, string, string],
  values: readonly [number, number, number],
  mode: number | undefined,
  log: QueueLog,
): Counters {
  using stack = new DisposableStack();
  const make = (which: 0 | 1 | 2): Semaphore => {
    const name = names[which];
    if (Semaphore.unlink(name)) log("leftovers", `Removed semaphore ${shown(name)}, a leftover`);
    const value = values[which];
    const made = Semaphore.create(name, mode === undefined ? { value } : { value, mode });
    stack.defer(() => (made.close(), Semaphore.unlink(name)));
    return made;
  };
  const made = [make(0), make(1), make(2)] as const;
  stack.move();
  return made;
}

function polledCounters(book: Int32Array): Counters {
  const at = (which: number): PolledTokens =>
    new PolledTokens(book, (BOOK_SEMAPHORES_OFFSET + which * BOOK_SEMAPHORE_LENGTH) / 4);
  return [at(0), at(1), at(2)];
}

/** Attaches to the counters that the creator chose. */
export function openCounters(
  place: QueuePlace,
  segment: Segment,
  geometry: QueueGeometry,
  mode: number,
): Counters {
  if (mode === QUEUE_MODE_NAMED) {
    using stack = new DisposableStack();
    const open = (name: string): Semaphore => stack.use(openPatiently(name));
    const [mutex, items, spaces] = namesOf(place);
    const opened = [open(mutex), open(items), open(spaces)] as const;
    stack.move();
    return opened;
  }
  if (mode === QUEUE_MODE_IN_SEGMENT) {
    const start = bookOffset(geometry) + BOOK_SEMAPHORES_OFFSET;
    const at = (which: number): Semaphore =>
      Semaphore.at(segment, start + which * BOOK_SEMAPHORE_LENGTH);
    return [at(0), at(1), at(2)];
  }
  if (mode === QUEUE_MODE_POLLING) return polledCounters(bookOf(segment, geometry));
  throw new LayoutError(`Cannot open message queue ${shown(place.name)}: its mode is unknown`, {
    expected: QUEUE_MODES.map((each) => `"${each}"`).join(" or "),
    found: `mode ${mode}`,
    offset: bookOffset(geometry) + BOOK_MODE_WORD * 4,
  });
}

/** A C producer makes its semaphores after the segment. */
function openPatiently(name: string): Semaphore {
  const look = (): Semaphore | undefined => {
    try {
      return Semaphore.open(name);
    } catch (error) {
      if (error instanceof SystemError && error.code === "ENOENT") return undefined;
      throw error;
    }
  };
  return waitUntil(look, FOR_CREATOR) ?? Semaphore.open(name);
}
