import { visible } from "../../arguments.ts";
import {
  type Holder,
  type ObjectUsage,
  type UnlistedMemory,
  unlisted,
  usage,
} from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { type Column, ageText, bytesText, modeText, tableLines } from "../format.ts";
import { fitsAny } from "../names.ts";
import { paint, print, printJson } from "../output.ts";

/** @returns The users of an object, and what they hold: "4711 bun worker.ts (lock, stopped)". */
export function usersText({ users, holders }: Pick<ObjectUsage, "users" | "holders">): string {
  const known = users.map(({ pid, command }) => {
    const held = holders.filter((holder) => holder.pid === pid);
    return `${pid} ${shortCommand(command)}${heldText(held)}`;
  });
  const lost = holders.filter(({ pid }) => pid === undefined);
  return [...known, ...lost.map(({ role, state }) => `? (${role}, ${state})`)].join(", ");
}

function heldText(held: readonly Holder[]): string {
  if (held.length === 0) return "";
  const words = held.map(({ role }) => role);
  if (held.some(({ state }) => state === "stopped")) words.push("stopped");
  return ` (${words.join(", ")})`;
}

/** @returns A line for memory that is in no object with a name. */
export function unlistedLines(hidden: readonly UnlistedMemory[]): string[] {
  return hidden
    .filter(({ used }) => used > 0)
    .map(({ kind, name, used, users }) => {
      const who = users.map(({ pid, command }) => `${pid} ${shortCommand(command)}`).join(", ");
      const what = kind === "removed" ? `(removed, kept by ${who})` : "(a directory)";
      return `  ${bytesText(used).padStart(6)}  ${visible(`${name} ${what}`)}`;
    });
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
    const hidden = call.has("json") || call.has("orphaned") ? [] : unlisted();
    if (call.has("json")) {
      printJson(objects);
    } else if (objects.length > 0) {
      for (const line of tableLines(objects, COLUMNS)) print(line);
    } else {
      print(paint("dim", isAsked ? "Nothing matches" : "There are no objects"));
    }
    const others = unlistedLines(hidden.filter(({ name }) => fits(name)));
    if (others.length > 0) print(paint("bold", "Without a name:"));
    for (const line of others) print(line);
    return objects.length === 0 && isAsked ? EXIT.no : EXIT.ok;
  },
};
