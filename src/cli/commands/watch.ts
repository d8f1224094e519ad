import { watch as watchDirectory } from "node:fs";
import { visible } from "../../arguments.ts";
import { room } from "../../index.ts";
import { objectOfFile } from "../../inspection/inspect.ts";
import { type Change, DirectoryChanges } from "../changes.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { fitsAny } from "../names.ts";
import { complain, paint, print, printJson } from "../output.ts";
import { untilSignal } from "../signals.ts";

const STYLES = { create: "green", delete: "red", resize: "yellow" } as const;

/** How often, in ms, files that changed are looked at again: the watcher leaves some events out. */
const SETTLE_MS = 50;

/** @returns The object that a file holds; the file's name has a character for each byte. */
function objectOf({ file }: Change): ReturnType<typeof objectOfFile> {
  return objectOfFile(Buffer.from(file, "latin1"));
}

function show(change: Change, json: boolean): void {
  const { event, size, before } = change;
  const { type, name } = objectOf(change);
  const time = new Date().toISOString();
  if (json) {
    printJson({ time, event, name, type, size, before }, 0);
    return;
  }
  const bytes = size === undefined ? "gone at once" : `${size} bytes`;
  const word = paint(STYLES[event], event.padEnd(6));
  const what = type === "semaphore" ? "semaphore " : "";
  const sizes = before === undefined ? bytes : `${before} → ${bytes}`;
  print(`${time.slice(11, 23)}  ${word}  ${what}${visible(name)}  ${sizes}`);
}

export const watch: Command = {
  name: "watch",
  summary: "Print a line whenever an object is made, removed or resized; Ctrl-C ends it.",
  operands: "[PATTERN]",
  count: [0, 1],
  options: { count: { value: "N", text: "End after N lines." } },
  examples: [
    ["bun-shm watch", "see who makes and removes what"],
    ["bun-shm watch 'orders*' --json", "one JSON object a line"],
  ],
  async run(call: Call): Promise<number> {
    const { directory } = room();
    const fits = fitsAny(call.operands);
    let left = call.count("count") ?? Number.POSITIVE_INFINITY;
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
    let settling: Timer | undefined;
    const report = (found: Iterable<Change>): void => {
      for (const change of found) {
        if (!fits(objectOf(change).name) || left <= 0) continue;
        show(change, call.has("json"));
        left--;
      }
      if (left <= 0) resolve();
      if (changes.isUndecided) settling ??= setTimeout(settle, SETTLE_MS);
    };
    const settle = (): void => {
      settling = undefined;
      report(changes.settle());
    };
    const watcher = watchDirectory(directory, { encoding: "latin1" }, (event, file) => {
      if (file === null) {
        // The kernel's queue of events was full.
        complain("Events were lost: there were too many. What is there now is compared");
        report(changes.all());
      } else {
        report(changes.of(file, event === "rename"));
      }
    });
    watcher.on("error", reject);
    // After the watcher began: nothing that is made meanwhile is missed.
    const changes = new DirectoryChanges(directory);
    try {
      await Promise.race([ended, untilSignal()]);
    } finally {
      clearTimeout(settling);
      watcher.close();
    }
    return EXIT.ok;
  },
};
