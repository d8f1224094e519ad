import { visible } from "../../arguments.ts";
import { doctor as examine } from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { paint, print, printJson } from "../output.ts";

const MARKS = {
  ok: () => paint("green", "ok  "),
  note: () => paint("yellow", "note"),
  mend: () => paint("red", "MEND"),
} as const;

export const doctor: Command = {
  name: "doctor",
  summary:
    "Check everything that makes shared memory fail, and say what mends it. Exit code 1 if " +
    "something must be mended.",
  count: [0, 0],
  examples: [["bun-shm doctor", "before a deployment, or after a SIGBUS"]],
  run(call: Call): number {
    const findings = examine();
    const sick = findings.some(({ status }) => status === "mend");
    if (call.has("json")) {
      printJson({ healthy: !sick, findings });
    } else {
      for (const { status, check, text, fix } of findings) {
        print(`${MARKS[status]()}  ${check.padEnd(12)}${visible(text)}`);
        if (fix !== undefined) print(`      ${"".padEnd(12)}${paint("dim", "→")} ${fix}`);
      }
    }
    return sick ? EXIT.no : EXIT.ok;
  },
};
