/** The three counters of a message queue, which are named semaphores or substitutes for them. */
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
import { quietly } from "../segment/quietly.ts";
import type { Segment } from "../segment/segment.ts";
import { Semaphore } from "../semaphore/semaphore.ts";
import { type MakerDeadlines, waitForMaker } from "../waiting/patience.ts";
import { bookOf } from "./book.ts";
import { QUEUE_MODES, type QueueSpec } from "./options.ts";
import { PolledTokens, type TokenCounter } from "./polled-tokens.ts";
import type { QueueLog } from "./queue-log.ts";

/** The counters for mutex, items and spaces. */
export type Counters = readonly [TokenCounter, TokenCounter, TokenCounter];

/** Makes the counters as wanted, or in the next best way. @returns The way, and the counters. */
export function makeCounters(
  spec: QueueSpec,
  segment: Segment,
  wanted: number,
  mode: number | undefined,
  log: QueueLog,
): [number, Counters] {
  const values = [1, 0, spec.geometry.slots] as const;
  const say = (instead: string, error: unknown): void => {
    if (!(error instanceof SystemError) && !(error instanceof UnsupportedError)) throw error;
    log.note(
      "degraded",
      `${error.message}. The queue uses ${instead} instead; C programs cannot join`,
    );
  };
  if (wanted === QUEUE_MODE_NAMED) {
    try {
      return [QUEUE_MODE_NAMED, makeNamed(namesOf(spec), values, mode, log)];
    } catch (error) {
      say("semaphores inside its segment", error);
    }
  }
  if (wanted <= QUEUE_MODE_IN_SEGMENT) {
    try {
      const init = (which: 0 | 1 | 2): Semaphore =>
        Semaphore.init(segment, semaphoreOffset(spec.geometry, which), { value: values[which] });
      return [QUEUE_MODE_IN_SEGMENT, [init(0), init(1), init(2)]];
    } catch (error) {
      say("polling", error);
    }
  }
  const polled = polledCounters(bookOf(segment, spec.geometry));
  values.forEach((value, which) => polled[which]!.post(value));
  return [QUEUE_MODE_POLLING, polled];
}

/** Where a semaphore lies inside the segment, in bytes. */
function semaphoreOffset(geometry: QueueGeometry, which: number): number {
  return bookOffset(geometry) + BOOK_SEMAPHORES_OFFSET + which * BOOK_SEMAPHORE_LENGTH;
}

/** @throws UnsupportedError when they have no names. */
function namesOf({ name, semaphores }: QueueSpec): readonly [string, string, string] {
  if (semaphores !== undefined) return semaphores;
  const what = `Cannot name the semaphores of message queue ${shown(name)}`;
  throw new UnsupportedError(`${what}: it is not a POSIX object. Pass { semaphores }`);
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
    if (Semaphore.unlink(name))
      log.note("leftovers", `Removed semaphore ${shown(name)}, a leftover`);
    const value = values[which];
    const made = Semaphore.create(name, mode === undefined ? { value } : { value, mode });
    stack.defer(() => {
      made.close();
      quietly(() => Semaphore.unlink(name));
    });
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
  spec: QueueSpec,
  segment: Segment,
  geometry: QueueGeometry,
  mode: number,
  until: MakerDeadlines,
): Counters {
  if (mode === QUEUE_MODE_NAMED) {
    using stack = new DisposableStack();
    const open = (name: string): Semaphore => stack.use(openPatiently(name, spec, until));
    const [mutex, items, spaces] = namesOf(spec);
    const opened = [open(mutex), open(items), open(spaces)] as const;
    stack.move();
    return opened;
  }
  if (mode === QUEUE_MODE_IN_SEGMENT) {
    const at = (which: number): Semaphore =>
      Semaphore.at(segment, semaphoreOffset(geometry, which));
    return [at(0), at(1), at(2)];
  }
  if (mode === QUEUE_MODE_POLLING) return polledCounters(bookOf(segment, geometry));
  throw new LayoutError(`Cannot open message queue ${shown(spec.name)}: its mode is unknown`, {
    expected: QUEUE_MODES.map((each) => `"${each}"`).join(" or "),
    found: `mode ${mode}`,
    offset: bookOffset(geometry) + BOOK_MODE_WORD * 4,
  });
}

/**
 * Opens a semaphore, and waits for it, since a C producer makes its semaphores after the segment.
 */
function openPatiently(name: string, { owner }: QueueSpec, until: MakerDeadlines): Semaphore {
  const look = (): Semaphore | undefined => {
    try {
      return Semaphore.open(name, { owner });
    } catch (error) {
      if (error instanceof SystemError && error.code === "ENOENT") return undefined;
      throw error;
    }
  };
  // Nobody can say whether that producer still makes them.
  return waitForMaker(look, () => false, until) ?? Semaphore.open(name, { owner });
}
