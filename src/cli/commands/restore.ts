import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { Segment } from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT, UsageError } from "../failure.ts";
import { objectName } from "../names.ts";
import { ANYBODYS, MODE, modeOf } from "../options.ts";
import { PIECE_LENGTH, answer } from "../output.ts";

function fill(bytes: Uint8Array, source: number): void {
  for (let at = 0; at < bytes.length;) {
    const count = readSync(source, bytes, at, Math.min(PIECE_LENGTH, bytes.length - at), at);
    if (count === 0) return;
    at += count;
  }
}

export const restore: Command = {
  name: "restore",
  summary: "Make an object out of a file that cp wrote. An existing one needs --force.",
  operands: "FILE NAME",
  count: [2, 2],
  completes: "files",
  options: {
    mode: MODE,
    force: { text: "Replace an object of that name that nobody has open." },
  },
  examples: [["bun-shm restore orders.bin orders", "bring the snapshot back as /orders"]],
  run(call: Call): number {
    const file = call.operands[0]!;
    const name = objectName(call.operands[1]!);
    const mode = modeOf(call);
    const source = openSync(file, "r");
    try {
      const stats = fstatSync(source);
      const { size } = stats;
      if (!stats.isFile()) throw new UsageError(`${file} is no regular file, and has no size`);
      if (size === 0) throw new UsageError(`${file} is empty, and an object cannot be`);
      const options = { size, ...mode };
      using segment = call.has("force")
        ? Segment.openOrCreate(name, { ...options, ...ANYBODYS, truncate: true })
        : Segment.create(name, options);
      try {
        fill(segment.bytes, source);
      } catch (error) {
        // Half of a file is no object. What --force replaced is gone.
        segment.unlink();
        throw error;
      }
      const text = `Restored ${name} from ${file}: ${size} bytes`;
      answer(call.has("json"), { name, file, bytes: size }, text);
      return EXIT.ok;
    } finally {
      closeSync(source);
    }
  },
};
