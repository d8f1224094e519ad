/** cat and tail: show what is in a ring or queue, and take nothing. */
import { type SeenRecord, openObject } from "../../index.ts";
import { RAW_TYPE, describeRecord } from "../channel.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { COUNT_RECORDS } from "../options.ts";
import { complain, printJson, showable, writeAll } from "../output.ts";

const NEWLINE = Uint8Array.of(10);

function show({ bytes, type, number }: SeenRecord, json: boolean): void {
  if (json) {
    printJson({ number, ...describeRecord(bytes, type) }, 0);
    return;
  }
  writeAll(1, showable(bytes));
  if (type !== RAW_TYPE) writeAll(1, NEWLINE);
}

export const cat: Command = {
  name: "cat",
  summary: "Print what is in a ring or queue now, and leave it there.",
  operands: "NAME",
  count: [1, 1],
  completes: "objects",
  examples: [["bun-shm cat orders", "what its consumer has still to read"]],
  run(call: Call): number {
    using object = openObject(call.object);
    for (const record of object.peek()) show(record, call.has("json"));
    return EXIT.ok;
  },
};

/** How often `tail` looks, in ms: nobody wakes it, since it must not disturb anybody. */
const LOOK_MS = 10;

export const tail: Command = {
  name: "tail",
  summary:
    "Print records as they come into a ring or queue, without taking them; Ctrl-C ends it. What " +
    "a fast consumer takes between two looks is missed, and said so.",
  operands: "NAME",
  count: [1, 1],
  completes: "objects",
  options: { count: COUNT_RECORDS },
  examples: [["bun-shm tail orders", "watch what comes in, beside its consumer"]],
  async run(call: Call): Promise<number> {
    let left = call.count("count") ?? Number.POSITIVE_INFINITY;
    using object = openObject(call.object);
    for (;;) {
      const { records, missed } = object.fresh();
      if (missed > 0) complain(`${missed} records were taken before tail saw them`);
      for (const record of records) {
        if (left-- > 0) show(record, call.has("json"));
      }
      if (left <= 0) return EXIT.ok;
      await Bun.sleep(LOOK_MS);
    }
  },
};
