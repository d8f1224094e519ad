import { lstatSync, readdirSync, watch as watchDirectory } from "node:fs";
import { visible } from "../../arguments.ts";
import { room } from "../../index.ts";
import { objectOfFile } from "../../inspection/inspect.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { fitsAny } from "../names.ts";
import { paint, print, printJson } from "../output.ts";
import { untilSignal } from "../signals.ts";

interface Event {
  readonly event: "create" | "delete" | "resize";
  readonly name: string;
  readonly type: "segment" | "semaphore";
  readonly size: number;
  readonly before?: number;
}

const STYLES = { create: "green", delete: "red", resize: "yellow" } as const;

/** glibc makes a semaphore under a name of this form, and gives it its real name afterwards. */
const TEMPORARY = /^sem\.[A-Za-z0-9]{6}$/;

function show(event: Event, json: boolean): void {
  const time = new Date().toISOString();
  if (json) {
    printJson({ time, ...event }, 0);
    return;
  }
  const size = event.before === undefined ? event.size : `${event.before} → ${event.size}`;
  const word = paint(STYLES[event.event], event.event.padEnd(6));
  const what = event.type === "semaphore" ? "semaphore " : "";
  print(`${time.slice(11, 23)}  ${word}  ${what}${visible(event.name)}  ${size} bytes`);
}

/** Yields how one file differs from what was known of it, and updates `known`. */
function* eventsOf(directory: string, file: string, known: Map<string, number>): Generator<Event> {
  const { type, name } = objectOfFile(file);
  const before = known.get(file);
  const size = lstatSync(`${directory}/${file}`, { throwIfNoEntry: false })?.size;
  if (size === undefined) {
    known.delete(file);
    if (before !== undefined) yield { event: "delete", name, type, size: before };
    return;
  }
  known.set(file, size);
  if (before === undefined) yield { event: "create", name, type, size };
  else if (before !== size) yield { event: "resize", name, type, size, before };
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
    const known = new Map<string, number>();
    for (const file of readdirSync(directory)) {
      const size = lstatSync(`${directory}/${file}`, { throwIfNoEntry: false })?.size;
      if (size !== undefined) known.set(file, size);
    }
    let left = call.count("count") ?? Number.POSITIVE_INFINITY;
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
    const watcher = watchDirectory(directory, (_, file) => {
      if (file === null || TEMPORARY.test(file)) return;
      for (const event of eventsOf(directory, file, known)) {
        if (!fits(event.name) || left <= 0) continue;
        show(event, call.has("json"));
        left--;
      }
      if (left <= 0) resolve();
    });
    watcher.on("error", reject);
    try {
      await Promise.race([ended, untilSignal()]);
    } finally {
      watcher.close();
    }
    return EXIT.ok;
  },
};
