import { Segment } from "../../index.ts";
import { type Call, type Command, parseBytes } from "../command.ts";
import { EXIT, UsageError } from "../failure.ts";
import { ANYBODYS } from "../options.ts";
import { answer } from "../output.ts";

export const resize: Command = {
  name: "resize",
  summary: "Give an object another size. Growing keeps the data; shrinking needs --force.",
  operands: "NAME SIZE",
  count: [2, 2],
  completes: "objects",
  options: { force: { text: "Shrink, though it ends a process that touches what is cut off." } },
  examples: [["bun-shm resize orders 2M", "grow /orders to two mebibytes"]],
  run(call: Call): number {
    const force = call.has("force");
    const wanted = parseBytes("SIZE", call.operands[1]!);
    using segment = Segment.open(call.object, ANYBODYS);
    const { name, size: before } = segment;
    if (wanted < before && !force) {
      const why = "shrinking ends every process that touches what is cut off";
      throw new UsageError(`${name} has ${before} bytes, and ${why}: --force does it`);
    }
    segment.resize(wanted, { force });
    const { size } = segment;
    const text = `Resized ${name}: ${before} to ${size} bytes`;
    answer(call.has("json"), { name, before, size }, text);
    return EXIT.ok;
  },
};
