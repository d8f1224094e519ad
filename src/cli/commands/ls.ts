import { type ObjectUsage, usage } from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { type Column, ageText, bytesText, modeText, tableLines } from "../format.ts";
import { fitsAny } from "../names.ts";
import { paint, print, printJson } from "../output.ts";

/** @returns The users of an object in a few words: "4711 bun producer.ts, 4712 …". */
export function usersText({ users }: Pick<ObjectUsage, "users">): string {
  return users.map(({ pid, command }) => `${pid} ${shortCommand(command)}`).join(", ");
}

/** @returns A program's name and its first argument, without paths, for a narrow column. */
function shortCommand(command: string): string {
  const [program = "", ...rest] = command.split(" ");
  const words = [program, ...rest.slice(0, 1)].map((word) => word.split("/").at(-1) ?? word);
  return words.join(" ");
}

const STATE_STYLES = { "in use": "green", orphaned: "yellow", unknown: "dim" } as const;

const COLUMNS: readonly Column<ObjectUsage>[] = [
  { head: "NAME", text: ({ name }) => name, style: () => "cyan" },
  { head: "KIND", text: ({ kind }) => kind },
  {
    head: "SIZE",
    right: true,
    text: (o) => (o.value === undefined ? bytesText(o.size) : `=${o.value}`),
  },
  { head: "USED", right: true, text: ({ used }) => bytesText(used) },
  { head: "MODE", text: ({ mode }) => modeText(mode) },
  { head: "OWNER", text: ({ owner }) => owner },
  { head: "AGE", right: true, text: ({ changed }) => ageText(changed) },
  { head: "STATE", text: ({ state }) => state, style: ({ state }) => STATE_STYLES[state] },
  { head: "PROCESSES", text: usersText },
];

const SORTS = {
  name: (a, b) => (a.name < b.name ? -1 : 1),
  size: (a, b) => b.size - a.size,
  used: (a, b) => b.used - a.used,
  age: (a, b) => a.changed.getTime() - b.changed.getTime(),
} as const satisfies Readonly<Record<string, (a: ObjectUsage, b: ObjectUsage) => number>>;

export const ls: Command = {
  name: "ls",
  summary:
    "List shared memory objects and named semaphores. Shows each one's kind, size, memory really " +
    "used, mode, owner, age, and the processes that have it.",
  operands: "[PATTERN…]",
  count: [0, Number.POSITIVE_INFINITY],
  completes: "objects",
  options: {
    sysv: { text: "Add System V segments and semaphores." },
    orphaned: { text: "Only what no live process has." },
    sort: { value: "KEY", text: "By name (default), size, used or age." },
  },
  examples: [
    ["bun-shm ls", "everything in /dev/shm"],
    ["bun-shm ls 'orders*' --sort used --json", "some of it, for a script"],
  ],
  run(call: Call): number {
    const sort = SORTS[call.oneOf("sort", ["name", "size", "used", "age"])];
    const fits = fitsAny(call.operands);
    const objects = usage({ sysv: call.has("sysv") })
      .filter(({ name, state }) => fits(name) && (!call.has("orphaned") || state === "orphaned"))
      .sort(sort);
    const isAsked = call.operands.length > 0;
    if (call.has("json")) {
      printJson(objects);
    } else if (objects.length > 0) {
      for (const line of tableLines(objects, COLUMNS)) print(line);
    } else {
      print(paint("dim", isAsked ? "Nothing matches" : "There are no objects"));
    }
    return objects.length === 0 && isAsked ? EXIT.no : EXIT.ok;
  },
};
