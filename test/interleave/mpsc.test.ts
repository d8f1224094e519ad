/** All interleavings of small MPSC programs, and a kill at each of their steps. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  CELLS_OFFSET,
  LAP_MASK,
  RELEASE_VERSIONS_OFFSET,
  cellCount,
  mpscDataOffset,
} from "../../src/layout/mpsc-layout.ts";
import { MpscConsumer } from "../../src/ring/algorithm/mpsc/consumer.ts";
import { MpscProducer } from "../../src/ring/algorithm/mpsc/producer.ts";
import { NOBODY } from "../../src/ring/algorithm/core.ts";
import type { RingMemory } from "../../src/ring/algorithm/views.ts";
import {
  type Model,
  type Outcome,
  type Participant,
  type Turn,
  describeReport,
  explore,
} from "./walker.ts";

/** The long form walks more states: minutes instead of seconds. */
const LONG = process.env["BUN_SHM_SOAK"] !== undefined;
setDefaultTimeout(600_000);
const CAPACITY = 64;
const dataOffset = mpscDataOffset(CAPACITY);
const buffer = new ArrayBuffer(dataOffset + CAPACITY);
const memory: RingMemory = { buffer, byteOffset: 0, dataOffset, capacity: CAPACITY, what: "ring" };

/** A ring in which `records` units were written and read, in this lap, at this position. */
function startAt(lap: number, cell: number, position: number): void {
  new Uint8Array(buffer).fill(0);
  const words = new Int32Array(buffer);
  words.set([lap, cell, position], RELEASE_VERSIONS_OFFSET >> 2);
  const cells = words.subarray(CELLS_OFFSET >> 2).subarray(0, cellCount(CAPACITY));
  cells.fill((lap + 1) & LAP_MASK, 0, cell);
  cells.fill(lap, cell);
}

/** Sends records whose bytes say who sent them and which they are. */
function producing(
  slot: number,
  lengths: readonly number[],
  first = 0,
  joining: "at once" | "step by step" = "at once",
): Participant["run"] {
  return (turn) => {
    const make = (): MpscProducer => new MpscProducer(memory, NOBODY, slot);
    const producer = joining === "at once" ? turn.atomically(make) : make();
    lengths.forEach((length, at) => {
      const index = producer.tryClaim(length, slot);
      if (index < 0) return;
      producer.bytes.fill(16 * slot + first + at, index, index + length);
      turn.note(first + at);
      producer.commit();
      turn.note(`sent ${first + at}`);
    });
    turn.unlock(slot);
  };
}

type Seen = readonly [slot: number, number: number];

/** Reads until all slots are free and nothing is left. */
function consuming(slots: readonly number[], limit = 8): Participant["run"] {
  return (turn) => {
    const consumer = turn.atomically(() => new MpscConsumer(memory, NOBODY, turn.isLocked, 1));
    const read = (): number =>
      consumer.read((view, index, length, type) => {
        const first = view.getUint8(index);
        // No `expect` here: this runs millions of times.
        for (let at = 0; at < length; at++) {
          if (view.getUint8(index + at) !== first) throw new Error("A torn record");
        }
        if (first >> 4 !== type) throw new Error("Another's record");
        turn.note([type, first & 15] satisfies Seen);
      }, limit);
    for (;;) {
      turn.forget();
      if (read() > 0) continue;
      const gone = slots.every((slot) => !turn.isLocked(slot));
      if (gone && read() === 0) return;
      if (gone) continue;
      turn.forget();
      turn.pause();
    }
  };
}

/** What was sent for certain is received once, in order; what was being sent, perhaps. */
function checkReceived(
  outcome: Outcome,
  seen: readonly Seen[],
  senders: Record<string, number>,
): void {
  for (const [name, slot] of Object.entries(senders)) {
    const notes = outcome.notes[name]!;
    const sent = notes
      .filter((note) => typeof note === "string")
      .map((note) => Number(note.slice(5)));
    const tried = notes.filter((note) => typeof note === "number");
    const first = tried[0] ?? 0;
    const own = seen.filter(([type]) => type === slot).map(([, number]) => number);
    const received = own.filter((number) => number >= first && number <= (tried.at(-1) ?? -1));
    if (received.length === sent.length) expect(received).toEqual(sent);
    else expect(received).toEqual(tried);
  }
}

function run(what: string, model: Omit<Model, "buffer">): void {
  console.log(describeReport(what, explore({ buffer, ...model })));
}

const PLACES = [
  ["at the start", 0, 0, 0],
  ["where the ring wraps", 3, 3, 3 * 64 + 48],
  ["where positions and laps wrap", LAP_MASK, 2, -32],
] as const;

describe("MPSC, all interleavings", () => {
  for (const [where, lap, cell, position] of PLACES) {
    test(`two producers, ${where}`, () => {
      startAt(lap, cell, position);
      run(`mpsc, 2 producers, ${where}`, {
        participants: {
          a: { run: producing(0, LONG ? [8, 8] : [8]), locks: [0] },
          b: { run: producing(1, [16]), locks: [1] },
          consumer: { run: consuming([0, 1]) },
        },
        check: (outcome) =>
          checkReceived(outcome, outcome.notes["consumer"] as Seen[], { a: 0, b: 1 }),
      });
    });

    test(`a producer joins, ${where}`, () => {
      startAt(lap, cell, position);
      run(`mpsc, a producer joins, ${where}`, {
        participants: {
          a: { run: producing(0, LONG ? [8, 8] : [8]), locks: [0] },
          joiner: { run: producing(1, [8], 0, "step by step"), locks: [1] },
          consumer: { run: consuming([0, 1]) },
        },
        check: (outcome) =>
          checkReceived(outcome, outcome.notes["consumer"] as Seen[], { a: 0, joiner: 1 }),
      });
    });

    test(`a producer is killed at each step, and another takes its slot, ${where}`, () => {
      startAt(lap, cell, position);
      const successor = (turn: Turn): void => {
        if (turn.tryLock(0)) producing(0, [8], 8)(turn);
      };
      run(`mpsc, producer killed, ${where}`, {
        kill: ["a"],
        participants: {
          a: { run: producing(0, LONG ? [16, 8] : [16]), locks: [0] },
          successor: { run: successor, after: "a" },
          consumer: { run: consuming([0]) },
        },
        check: (outcome) => {
          const seen = outcome.notes["consumer"] as Seen[];
          // The consumer may have gone before the successor came: what is left is read now.
          const rest: Seen[] = [];
          new MpscConsumer(memory, NOBODY, () => false, 1).read((view, index, _length, type) => {
            rest.push([type, view.getUint8(index) & 15]);
          }, 100);
          checkReceived(outcome, [...seen, ...rest], { a: 0, successor: 0 });
        },
      });
    });

    test(`the consumer is killed at each step, and another goes on, ${where}`, () => {
      startAt(lap, cell, position);
      run(`mpsc, consumer killed, ${where}`, {
        kill: ["consumer"],
        participants: {
          a: { run: producing(0, LONG ? [16, 8, 8] : [16, 8]), locks: [0] },
          consumer: { run: consuming([0], 2) },
          successor: { run: consuming([0]), after: "consumer" },
        },
        check: ({ notes, killed }) => {
          const before = (notes["consumer"] as Seen[]).map(([, number]) => number);
          const after = (notes["successor"] as Seen[]).map(([, number]) => number);
          // The third may have found no room.
          const sent = [0, 1, 2].filter((number) => notes["a"]!.includes(`sent ${number}`));
          expect(before).toEqual(sent.slice(0, before.length));
          // Again at most what was read and not released; without a gap.
          const first = after[0] ?? sent.length;
          if (killed.length > 0) expect(first).toBeLessThanOrEqual(before.length);
          expect(after).toEqual(sent.slice(first));
        },
      });
    });
  }
});
