/** All interleavings of small broadcast programs, and a kill at each of their steps. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  HALF_LAPS_OFFSET,
  TAIL_OFFSET,
  TAIL_INTENT_OFFSET,
  TAIL_NUMBERS_OFFSET,
  LIMIT_OFFSET,
  broadcastDataOffset,
} from "../../src/layout/broadcast-layout.ts";
import { readTailNumber } from "../../src/ring/algorithm/broadcast/words.ts";
import { BlockConsumer } from "../../src/ring/algorithm/broadcast/block-consumer.ts";
import { BroadcastProducer, type WhileHeld } from "../../src/ring/algorithm/broadcast/producer.ts";
import { OverwriteConsumer } from "../../src/ring/algorithm/broadcast/overwrite-consumer.ts";
import { NOBODY } from "../../src/ring/algorithm/core.ts";
import type { RingMemory } from "../../src/ring/algorithm/views.ts";
import { type Model, type Participant, type Turn, describeReport, explore } from "./walker.ts";

setDefaultTimeout(600_000);
const CAPACITY = 256;
/** Payload that makes records of 48 bytes: five of them fit, and padding. */
const LENGTH = 32;

/** The type and the bytes of the record that somebody writes after the producer was killed. */
const SUCCESSOR = 100;

/** After it bytes are copied that may be overwritten. */
const RACY = [TAIL_OFFSET >> 2];

interface World {
  readonly policy: "overwrite" | "block";
  readonly memory: RingMemory;
}

function makeWorld(policy: World["policy"]): World {
  const dataOffset = broadcastDataOffset(policy);
  const buffer = new ArrayBuffer(dataOffset + CAPACITY);
  return {
    policy,
    memory: { buffer, byteOffset: 0, dataOffset, capacity: CAPACITY, what: "ring" },
  };
}

/** A ring in which so many bytes were published. */
function startAt({ memory, policy }: World, tail: number): void {
  new Uint8Array(memory.buffer).fill(0);
  const words = new Int32Array(memory.buffer);
  words[TAIL_OFFSET >> 2] = tail;
  words[HALF_LAPS_OFFSET >> 2] = Math.floor(tail / 2 ** 31);
  words.set([tail, 0, 0], TAIL_NUMBERS_OFFSET >> 2);
  if (policy === "overwrite") words[TAIL_INTENT_OFFSET >> 2] = tail;
  else words[LIMIT_OFFSET >> 2] = tail;
}

/** How many records were published in it. */
const publishedRecords = ({ memory }: World): number =>
  readTailNumber(new Int32Array(memory.buffer))!.number;

const heldBy =
  (turn: Turn): WhileHeld =>
  (slot, action) => {
    if (!turn.tryLock(slot)) return false;
    action();
    turn.unlock(slot);
    return true;
  };

function makeProducer(world: World, turn: Turn): BroadcastProducer {
  const whileHeld = world.policy === "block" ? heldBy(turn) : undefined;
  return new BroadcastProducer(world.memory, NOBODY, whileHeld, 1, false, 1);
}

function write(producer: BroadcastProducer, number: number): boolean {
  const index = producer.tryClaim(LENGTH, number);
  if (index < 0) return false;
  producer.bytes.fill(number, index, index + LENGTH);
  producer.commit();
  return true;
}

/** Writes some records at once and the others step by step; waits for room where that is needed. */
function producing(world: World, from: number, to: number, atOnce = 0): Participant["run"] {
  return (turn) => {
    const producer = turn.atomically(() => {
      const made = makeProducer(world, turn);
      for (let number = from; number < from + atOnce; number++) write(made, number);
      return made;
    });
    turn.note(from + atOnce - 1);
    for (let number = from + atOnce; number < to; number++) {
      while (!write(producer, number)) turn.pause();
      turn.note(number);
    }
  };
}

/** Each record's number, checked byte for byte; thrown errors end the walk. */
function handing(turn: Turn, lost: () => number) {
  return (view: DataView, index: number, length: number, type: number): void => {
    for (let at = 0; at < length; at++) {
      if (view.getUint8(index + at) !== type) throw new Error("A torn record");
    }
    if (length !== LENGTH) throw new Error("A wrong length");
    turn.note([type, lost()]);
  };
}

function following(
  world: World,
  rounds: number,
  joining = "at once",
  slot = 0,
): Participant["run"] {
  return (turn) => {
    const overwrite = world.policy === "overwrite";
    const make = (): OverwriteConsumer | BlockConsumer =>
      overwrite
        ? new OverwriteConsumer(world.memory, NOBODY)
        : new BlockConsumer(world.memory, NOBODY, slot);
    const consumer = joining === "at once" ? turn.atomically(make) : make();
    const lost = (): number => (consumer instanceof OverwriteConsumer ? consumer.lost : 0);
    const handler = handing(turn, lost);
    for (let round = 0; round < rounds; round++) {
      turn.forget([round, consumer.position, lost()]);
      // All that was copied is handed over: no copy holds more records.
      consumer.read(handler, 5);
    }
    turn.forget();
    if (consumer instanceof BlockConsumer) {
      consumer.end();
      turn.unlock(slot);
    }
  };
}

type Seen = readonly [number: number, lost: number];

/** The most records that a consumer saw in one schedule of a walk. */
let mostSeen = 0;

/** From the record at which it joined on, each is seen or counted as lost. */
function checkSeen(notes: readonly unknown[]): void {
  const seen = notes as Seen[];
  mostSeen = Math.max(mostSeen, seen.length);
  if (seen.length === 0) return;
  const joined = seen[0]![0] - seen[0]![1];
  expect(joined).toBeGreaterThanOrEqual(0);
  seen.forEach(([number, lost], at) => {
    if (number - lost - at !== joined) throw new Error(`Record ${number} with ${lost} lost`);
  });
}

function run(what: string, world: World, model: Omit<Model, "buffer">): void {
  mostSeen = 0;
  const report = explore({ buffer: world.memory.buffer as ArrayBuffer, ...model });
  console.log(`${describeReport(what, report)}; up to ${mostSeen} records were seen`);
  expect(mostSeen).toBeGreaterThan(0);
}

const ALL_PLACES = [
  ["at the start", 0],
  ["where the top bit changes", 2 ** 31 - 96],
  ["where positions wrap", 2 ** 32 - 96],
] as const;

/** The long form walks all places: minutes instead of seconds. */
const LONG = process.env["BUN_SHM_SOAK"] !== undefined;
const PLACES = LONG ? ALL_PLACES : ALL_PLACES.slice(-1);

describe("broadcast, all interleavings", () => {
  const overwrite = makeWorld("overwrite");
  const block = makeWorld("block");

  for (const [where, tail] of PLACES) {
    test(`overwrite: a consumer is lapped, ${where}`, () => {
      startAt(overwrite, tail);
      run(`overwrite, lapped, ${where}`, overwrite, {
        racyAfter: RACY,
        participants: {
          producer: { run: producing(overwrite, 0, 6, 4) },
          consumer: { run: following(overwrite, 1) },
        },
        check: ({ notes }) => checkSeen(notes["consumer"]!),
      });
    });

    test(`overwrite: a consumer joins, ${where}`, () => {
      startAt(overwrite, tail);
      run(`overwrite, a consumer joins, ${where}`, overwrite, {
        racyAfter: RACY,
        participants: {
          producer: { run: producing(overwrite, 0, LONG ? 3 : 2, 1) },
          consumer: { run: following(overwrite, 1, "step by step") },
        },
        check: ({ notes }) => checkSeen(notes["consumer"]!),
      });
    });

    test(`overwrite: the producer is killed at each step, ${where}`, () => {
      startAt(overwrite, tail);
      run(`overwrite, producer killed, ${where}`, overwrite, {
        racyAfter: RACY,
        kill: ["producer"],
        participants: {
          producer: { run: producing(overwrite, 0, 5, 4) },
          successor: {
            after: "producer",
            run: (turn) => {
              // Goes on with whatever number the ring says is next: types tell no more than bytes.
              const made = turn.atomically(() => makeProducer(overwrite, turn));
              turn.note(write(made, SUCCESSOR));
            },
          },
          consumer: { run: following(overwrite, 1) },
        },
        check: ({ notes, killed }) => {
          const written = (notes["producer"]!.at(-1) ?? -1) as number;
          const seen = notes["consumer"] as Seen[];
          if (killed.length === 0) {
            expect(written).toBe(4);
            return checkSeen(seen);
          }
          expect(notes["successor"]).toEqual([true]);
          // The ring says which number the successor's record has: what the dead one had written
          // for certain came before, and perhaps the one that it died in.
          const number = publishedRecords(overwrite) - 1;
          expect(number - 1 === written || number - 1 === Math.min(written + 1, 4)).toBe(true);
          checkSeen(seen.map(([type, lost]) => [type === SUCCESSOR ? number : type, lost]));
        },
      });
    });

    test(`block: a consumer joins while the producer runs, ${where}`, () => {
      startAt(block, tail);
      run(`block, a consumer joins, ${where}`, block, {
        participants: {
          producer: { run: producing(block, 0, 6, 4) },
          joiner: { run: following(block, 1, "step by step"), locks: [0] },
        },
        check: ({ notes }) => {
          checkSeen(notes["joiner"]!);
          expect(notes["producer"]!.at(-1)).toBe(5);
        },
      });
    });

    test(`block: a consumer is killed at each step and dropped, ${where}`, () => {
      startAt(block, tail);
      run(`block, consumer killed, ${where}`, block, {
        kill: ["consumer"],
        participants: {
          producer: { run: producing(block, 0, 6, 4) },
          consumer: { run: following(block, 2), locks: [0] },
        },
        check: ({ notes }) => {
          checkSeen(notes["consumer"]!);
          expect(notes["producer"]!.at(-1)).toBe(5);
        },
      });
    });

    test(`block: the producer is killed at each step, ${where}`, () => {
      startAt(block, tail);
      run(`block, producer killed, ${where}`, block, {
        kill: ["producer"],
        participants: {
          producer: { run: producing(block, 0, LONG ? 6 : 5, 4) },
          consumer: { run: following(block, 1), locks: [0] },
        },
        check: ({ notes }) => {
          checkSeen(notes["consumer"]!);
          const written = (notes["producer"]!.at(-1) ?? -1) as number;
          const published = publishedRecords(block);
          expect([written + 1, written + 2]).toContain(published);
          // Whoever comes next finds a ring that works.
          const seen: unknown[] = [];
          const joiner = new BlockConsumer(block.memory, NOBODY, 1);
          const drop: WhileHeld = (slot, action) => slot === 0 && (action(), true);
          expect(
            write(new BroadcastProducer(block.memory, NOBODY, drop, 1, false, 1), SUCCESSOR),
          ).toBe(true);
          joiner.read((view, index, length, type) => {
            seen.push([length, type, view.getUint8(index), view.getUint8(index + length - 1)]);
          }, 5);
          expect(seen).toEqual([[LENGTH, SUCCESSOR, SUCCESSOR, SUCCESSOR]]);
          expect(publishedRecords(block)).toBe(published + 1);
        },
      });
    });
  }
});
