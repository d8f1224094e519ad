import { Segment } from "../../index.ts";
import { backingOf } from "../../inspection/inspect.ts";
import { type Call, type Command, parseBytes } from "../command.ts";
import { EXIT, UsageError } from "../failure.ts";
import { MODE, modeOf } from "../options.ts";
import { answer } from "../output.ts";

export const create: Command = {
  name: "create",
  summary: "Make an object of zeros. Its memory is reserved at once.",
  operands: "NAME SIZE",
  count: [2, 2],
  options: {
    mode: MODE,
    sparse: { text: "Do not reserve the memory." },
    huge: { text: "Use huge pages: set aside (System V), or made of others." },
  },
  examples: [["bun-shm create orders 1M --mode 660", "one mebibyte for user and group"]],
  run(call: Call): number {
    const name = call.object;
    if (backingOf(name) === "memfd") {
      throw new UsageError("A memfd ends with the process that makes it: use another backing");
    }
    using segment = Segment.create(name, {
      size: parseBytes("SIZE", call.operands[1]!),
      reserve: !call.has("sparse"),
      hugePages: call.has("huge"),
      ...modeOf(call),
    });
    const { name: made, size } = segment;
    answer(call.has("json"), { name: made, size }, `Created ${made}: ${size} bytes`);
    return EXIT.ok;
  },
};
