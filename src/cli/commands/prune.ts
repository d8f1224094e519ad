import { visible } from "../../arguments.ts";
import { type PruneResult, prune as pruneAll } from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT, textOf } from "../failure.ts";
import { bytesText } from "../format.ts";
import { fitsAny } from "../names.ts";
import { FORCE_IN_USE } from "../options.ts";
import { complain, print, printJson } from "../output.ts";

function printPruned({ removed, kept, failed }: PruneResult, dryRun: boolean): void {
  for (const { name, type, used } of removed) {
    const verb = dryRun ? "Would remove" : "Removed";
    print(`${verb} ${type} ${visible(name)} (${bytesText(used)})`);
  }
  for (const { object, error } of failed) complain(`${visible(object.name)}: ${textOf(error)}`);
  const bytes = removed.reduce((sum, { used }) => sum + used, 0);
  const verb = dryRun ? "would be removed" : "removed";
  print(`${removed.length} ${verb} (${bytesText(bytes)}), ${kept.length} kept`);
}

export const prune: Command = {
  name: "prune",
  summary:
    "Remove every object and semaphore that no live process has, by the kernel's word. What is " +
    "in use stays, unless --force.",
  operands: "[PATTERN]",
  count: [0, 1],
  completes: "objects",
  options: {
    "dry-run": { short: "n", text: "Say what would be removed, and remove nothing." },
    force: FORCE_IN_USE,
    sysv: { text: "Also System V segments." },
  },
  examples: [
    ["bun-shm prune --dry-run", "see what is left over"],
    ["bun-shm prune 'test-*'", "remove the leftovers whose names start so"],
  ],
  run(call: Call): number {
    const fits = fitsAny(call.operands);
    const dryRun = call.has("dry-run");
    const result = pruneAll({
      dryRun,
      force: call.has("force"),
      sysv: call.has("sysv"),
      only: ({ name }) => fits(name),
    });
    if (call.has("json")) {
      const failed = result.failed.map(({ object, error }) => ({ object, error: textOf(error) }));
      printJson({ ...result, failed });
    } else {
      printPruned(result, dryRun);
    }
    return result.failed.length > 0 ? EXIT.denied : EXIT.ok;
  },
};
