import { closeSync, openSync } from "node:fs";
import { type InspectedObject, openObject } from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { PIECE_LENGTH, answer, writeAll } from "../output.ts";

/** @returns How many bytes were copied. */
function copy(object: InspectedObject, target: number): number {
  let copied = 0;
  for (;;) {
    const bytes = object.read(copied, PIECE_LENGTH);
    if (bytes.length === 0) return copied;
    writeAll(target, bytes);
    copied += bytes.length;
  }
}

export const cp: Command = {
  name: "cp",
  summary:
    "Copy an object's bytes to a file, or to standard output with -. Writers are not stopped.",
  operands: "NAME FILE",
  count: [2, 2],
  completes: "objects",
  examples: [
    ["bun-shm cp orders orders.bin", "a snapshot of /orders"],
    ["bun-shm cp orders - | gzip > orders.gz", "the same, compressed"],
  ],
  run(call: Call): number {
    const file = call.operands[1]!;
    using object = openObject(call.object);
    const { name } = object;
    if (file === "-") {
      copy(object, 1);
      return EXIT.ok;
    }
    const target = openSync(file, "w", 0o600);
    try {
      const bytes = copy(object, target);
      answer(call.has("json"), { name, file, bytes }, `Copied ${name} to ${file}: ${bytes} bytes`);
      return EXIT.ok;
    } finally {
      closeSync(target);
    }
  },
};
