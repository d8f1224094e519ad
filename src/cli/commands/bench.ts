import { benchmark, machineText } from "../benchmark.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { tableLines } from "../format.ts";
import { print, printJson } from "../output.ts";

const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(2));

export const bench: Command = {
  name: "bench",
  summary: "Measure what shared memory does on this machine; takes about ten seconds.",
  count: [0, 0],
  examples: [["bun-shm bench", "figures to compare machines by"]],
  async run(call: Call): Promise<number> {
    const figures = await benchmark((prefix) =>
      Bun.spawn([process.execPath, Bun.main, "__bench-peer", prefix], {
        stdio: ["ignore", "inherit", "inherit"],
      }),
    );
    if (call.has("json")) {
      printJson({ machine: machineText(), figures });
      return EXIT.ok;
    }
    print(machineText());
    const lines = tableLines(figures, [
      { head: "FIGURE", text: ({ name }) => name },
      { head: "MEDIAN", right: true, text: ({ median }) => digits(median) },
      { head: "MIN", right: true, text: ({ min }) => digits(min) },
      { head: "MAX", right: true, text: ({ max }) => digits(max) },
      { head: "UNIT", text: ({ unit }) => unit },
    ]);
    for (const line of lines) print(line);
    return EXIT.ok;
  },
};
