/** The three counters of a message queue: named semaphores, or what takes their place. */
import { LayoutError, SystemError, UnsupportedError } from "../errors.ts";
import {
  BOOK_LENGTH,
  BOOK_MODE_WORD,
  MODE_IN_SEGMENT,
  MODE_NAMED,
  MODE_POLLING,
  type QueueGeometry,
  SEMAPHORES_OFFSET,
  SEMAPHORE_STRIDE,
  bookOffset,
} from "../layout/message-queue-layout.ts";
import { monotonicMs, sleepMs } from "../libc/time.ts";
import type { QueuePlace } from "./options.ts";
import type { Segment } from "../segment/segment.ts";
import { Semaphore } from "../semaphore/semaphore.ts";
import { PolledTokens, type TokenCounter } from "./polled-tokens.ts";

/** How long, in ms, a creator may be between two of its steps. */
const PATIENCE_MS = 1000;

/** Mutex, items, spaces. */
export type Counters = readonly [TokenCounter, TokenCounter, TokenCounter];

/** Makes the counters as wanted, or the next best. @returns The mode, and them. */
export function makeCounters(
  place: QueuePlace,
  segment: Segment,
  wanted: number,
  mode: number | undefined,
  log: (type: "degraded" | "leftovers", message: string) => void,
): [number, Counters] {
  const values = [1, 0, place.geometry.slots] as const;
  const say = (instead: string, error: unknown): void => {
    if (!(error instanceof SystemError) && !(error instanceof UnsupportedError)) throw error;
    log("degraded", `${error.message}. The queue uses ${instead} instead; C programs cannot join`);
  };
  if (wanted === MODE_NAMED) {
    try {
      return [MODE_NAMED, makeNamed(place.semaphores, values, mode, log)];
    } catch (error) {
      say("semaphores inside its segment", error);
    }
  }
  if (wanted <= MODE_IN_SEGMENT) {
    try {
      const init = (which: number): Semaphore => {
        const offset = bookOffset(place.geometry) + SEMAPHORES_OFFSET + which * SEMAPHORE_STRIDE;
        return Semaphore.init(segment, offset, { value: values[which]! });
      };
      return [MODE_IN_SEGMENT, [init(0), init(1), init(2)]];
    } catch (error) {
      say("polling", error);
    }
  }
  const polled = polledCounters(bookOf(segment, place.geometry));
  values.forEach((value, which) => polled[which]!.post(value));
  return [MODE_POLLING, polled];
}

function makeNamed(
  names: readonly [string, string, string],
  values: readonly [number, number, number],
  mode: number | undefined,
  log: (type: "leftovers", message: string) => void,
): Counters {
  using stack = new DisposableStack();
  const make = (which: 0 | 1 | 2): Semaphore => {
    const name = names[which];
    if (Semaphore.unlink(name)) log("leftovers", `Removed semaphore "${name}", a leftover`);
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
    new PolledTokens(book, (SEMAPHORES_OFFSET + which * SEMAPHORE_STRIDE) / 4);
  return [at(0), at(1), at(2)];
}

/** The words of the bookkeeping. */
export function bookOf(segment: Segment, geometry: QueueGeometry): Int32Array {
  return new Int32Array(segment.buffer, bookOffset(geometry), BOOK_LENGTH / 4);
}

/** Attaches to the counters that the creator chose. */
export function openCounters(
  place: QueuePlace,
  segment: Segment,
  geometry: QueueGeometry,
  mode: number,
): Counters {
  if (mode === MODE_NAMED) {
    using stack = new DisposableStack();
    const open = (name: string): Semaphore => stack.use(openPatiently(name));
    const [mutex, items, spaces] = place.semaphores;
    const opened = [open(mutex), open(items), open(spaces)] as const;
    stack.move();
    return opened;
  }
  if (mode === MODE_IN_SEGMENT) {
    const start = bookOffset(geometry) + SEMAPHORES_OFFSET;
    const at = (which: number): Semaphore =>
      Semaphore.at(segment, start + which * SEMAPHORE_STRIDE);
    return [at(0), at(1), at(2)];
  }
  if (mode === MODE_POLLING) return polledCounters(bookOf(segment, geometry));
  throw new LayoutError(`Cannot open message queue "${place.name}": its mode is unknown`, {
    expected: "1, 2 or 3",
    found: String(mode),
    offset: bookOffset(geometry) + BOOK_MODE_WORD * 4,
  });
}

/** A C producer makes its semaphores after the segment. */
function openPatiently(name: string): Semaphore {
  const deadline = monotonicMs() + PATIENCE_MS;
  for (;;) {
    try {
      return Semaphore.open(name);
    } catch (error) {
      const missing = error instanceof SystemError && error.code === "ENOENT";
      if (!missing || monotonicMs() >= deadline) throw error;
      sleepMs(1);
    }
  }
}
