/** All interleavings of small MPSC programs, and a kill at each of their steps. */
import { describe, expect, test } from "bun:test";
import {
  LAP_MASK,
  RELEASE_VERSIONS,
  cellCount,
  mpscDataOffset,
} from "../../src/layout/mpsc-layout.ts";
import { MpscConsumer } from "../../src/ring/mpsc-consumer.ts";
import { MpscProducer } from "../../src/ring/mpsc.ts";
import { NOBODY, type RingMemory } from "../../src/ring/ring.ts";
import {
  type Model,
  type Outcome,
  type Participant,
  type Turn,
  describeReport,
  explore,
} from "../support/interleave.ts";

const CAPACITY = 64;
const dataOffset = mpscDataOffset(CAPACITY);
const buffer = new ArrayBuffer(dataOffset + CAPACITY);
const memory: RingMemory = { buffer, byteOffset: 0, dataOffset, capacity: CAPACITY };

/** A ring in which `records` units were written and read, in this lap, at this position. */
function startAt(lap: number, cell: number, position: number): void {
  new Uint8Array(buffer).fill(0);
  const words = new Int32Array(buffer);
  words.set([lap, cell, position], RELEASE_VERSIONS >> 2);
  const cells = words.subarray(256, 256 + cellCount(CAPACITY));
  cells.fill((lap + 1) & LAP_MASK, 0, cell);
  cells.fill(lap, cell);
}

/** Sends records whose bytes say who sent them and which they are. */
function producing(slot: number, lengths: readonly number[], first = 0): Participant["run"] {
  return (turn) => {
    const producer = new MpscProducer(memory, NOBODY, slot);
    lengths.forEach((length, at) => {
      let index = producer.tryClaim(length, slot);
      while (index < 0) {
        turn.pause();
        index = producer.tryClaim(length, slot);
      }
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
    const consumer = new MpscConsumer(memory, NOBODY, turn.isLocked, 1);
    for (;;) {
      const gone = slots.every((slot) => !turn.isLocked(slot));
      const count = consumer.read((view, index, length, type) => {
        const first = view.getUint8(index);
        for (let at = 0; at < length; at++) expect(view.getUint8(index + at)).toBe(first);
        expect(first >> 4).toBe(type);
        turn.note([type, first & 15] satisfies Seen);
      }, limit);
      if (count > 0) continue;
      if (gone) return;
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
      for (const blocks of ["joined", "apart"] as const) {
        const lengths = blocks === "joined" ? [8, 16, 8] : [8, 16];
        run(`mpsc 2 producers x ${lengths.length}, ${where}, blocks ${blocks}`, {
          blocks,
          participants: {
            a: { run: producing(0, lengths), locks: [0] },
            b: { run: producing(1, lengths), locks: [1] },
            consumer: { run: consuming([0, 1]) },
          },
          check: (outcome) =>
            checkReceived(outcome, outcome.notes["consumer"] as Seen[], { a: 0, b: 1 }),
        });
      }
    });

    test(`a producer is killed at each step, and another takes its slot, ${where}`, () => {
      startAt(lap, cell, position);
      const successor = (turn: Turn): void => {
        if (turn.tryLock(0)) producing(0, [8], 8)(turn);
      };
      run(`mpsc, producer killed, ${where}`, {
        blocks: "apart",
        kill: ["a"],
        participants: {
          a: { run: producing(0, [16, 8]), locks: [0] },
          b: { run: producing(1, [8]), locks: [1] },
          successor: { run: successor, after: "a" },
          consumer: { run: consuming([0, 1]) },
        },
        check: (outcome) => {
          const seen = outcome.notes["consumer"] as Seen[];
          // The consumer may have gone before the successor came: what is left is read now.
          const rest: Seen[] = [];
          new MpscConsumer(memory, NOBODY, () => false, 1).read((view, index, _length, type) => {
            rest.push([type, view.getUint8(index) & 15]);
          }, 100);
          checkReceived(outcome, [...seen, ...rest], { a: 0, b: 1, successor: 0 });
        },
      });
    });

    test(`the consumer is killed at each step, and another goes on, ${where}`, () => {
      startAt(lap, cell, position);
      run(`mpsc, consumer killed, ${where}`, {
        blocks: "apart",
        kill: ["consumer"],
        participants: {
          a: { run: producing(0, [16, 8, 8]), locks: [0] },
          consumer: { run: consuming([0], 2) },
          successor: { run: consuming([0]), after: "consumer" },
        },
        check: ({ notes }) => {
          const before = (notes["consumer"] as Seen[]).map(([, number]) => number);
          const after = (notes["successor"] as Seen[]).map(([, number]) => number);
          expect(before).toEqual([0, 1, 2].slice(0, before.length));
          // Again at most what was read and not released; without a gap.
          const first = after[0] ?? 3;
          expect(first).toBeLessThanOrEqual(before.length);
          expect(after).toEqual([0, 1, 2].slice(first));
        },
      });
    });
  }
});
