/** cat and tail: what is in a ring or queue, without taking it. */
import { type ObjectReader, openReader } from "../../inspection/object-reader.ts";
import { type Peek, type Peeked, peekQueue, peekRing, queueTail } from "../../inspection/peek.ts";
import { RAW_TYPE, kindOf } from "../channel.ts";
import { type Call, type Command, EXIT, UsageError } from "../command.ts";
import { objectName } from "../names.ts";
import { complain, print, writeAll } from "../output.ts";

const NEWLINE = Uint8Array.of(10);

function show({ bytes, type, number }: Peeked, json: boolean): void {
  if (json) {
    const text = new TextDecoder().decode(bytes);
    print(JSON.stringify({ number, type, length: bytes.length, text }));
    return;
  }
  writeAll(1, bytes);
  if (type !== RAW_TYPE) writeAll(1, NEWLINE);
}

function peek(reader: ObjectReader, kind: string): Peek {
  if (kind === "queue") return peekQueue(reader);
  if (kind === "ring" || kind === "mpsc-ring") return peekRing(reader, kind);
  throw new UsageError(`${reader.name} is ${kind}: cat and tail read rings and queues`);
}

export const cat: Command = {
  name: "cat",
  summary: "Print what is in a ring or queue now, and leave it there.",
  operands: "NAME",
  count: [1, 1],
  completes: "objects",
  examples: [["bun-shm cat orders", "what its consumer has still to read"]],
  run(call: Call): number {
    const name = objectName(call.operands[0]!);
    using reader = openReader(name);
    for (const record of peek(reader, kindOf(name)).records) show(record, call.has("json"));
    return EXIT.ok;
  },
};

/** How often `tail` looks, in ms: it must not disturb, so nobody wakes it. */
const LOOK_MS = 10;

/** New records of a ring since record number `next`. */
function* newInRing(reader: ObjectReader, kind: string): Generator<Peeked[], void, void> {
  let next = -1;
  for (;;) {
    const { records, first } = peekRing(reader, kind);
    if (next < 0) next = first + records.length;
    if (first > next) {
      complain(`${first - next} records were taken before tail saw them`);
      next = first;
    }
    const fresh = records.filter(({ number }) => number >= next);
    next += fresh.length;
    yield fresh;
  }
}

/** New messages of a queue: those in the slots that its producer has passed since the last look. */
function* newInQueue(reader: ObjectReader): Generator<Peeked[], void, void> {
  let { tail } = queueTail(reader);
  for (;;) {
    const { records, head } = peekQueue(reader);
    const { slots } = queueTail(reader);
    // How many of the queued messages lie at or behind the last tail.
    const old = Math.min((tail - head + slots) % slots, records.length);
    const full = records.length === slots && tail === head;
    const fresh = full ? [] : records.slice(old);
    tail = (head + records.length) % slots;
    yield fresh;
  }
}

export const tail: Command = {
  name: "tail",
  summary:
    "Print records as they come into a ring or queue, without taking them; Ctrl-C ends it. What " +
    "a fast consumer takes between two looks is missed, and said so.",
  operands: "NAME",
  count: [1, 1],
  completes: "objects",
  options: { count: { value: "N", text: "End after N records." } },
  examples: [["bun-shm tail orders", "watch what comes in, beside its consumer"]],
  async run(call: Call): Promise<number> {
    const name = objectName(call.operands[0]!);
    using reader = openReader(name);
    const kind = kindOf(name);
    peek(reader, kind);
    let left = call.number("count", 1) ?? Number.POSITIVE_INFINITY;
    for (const fresh of kind === "queue" ? newInQueue(reader) : newInRing(reader, kind)) {
      for (const record of fresh) {
        if (left-- > 0) show(record, call.has("json"));
      }
      if (left <= 0) return EXIT.ok;
      await Bun.sleep(LOOK_MS);
    }
    return EXIT.ok;
  },
};
