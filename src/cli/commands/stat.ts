import { visible } from "../../arguments.ts";
import { type Holder, type NamedValue, type ObjectUsage, openObject, usage } from "../../index.ts";
import { backingOf } from "../../inspection/inspect.ts";
import type { Call, Command } from "../command.ts";
import { EXIT } from "../failure.ts";
import { ageText, bytesText, modeText } from "../format.ts";
import { paint, print, printJson } from "../output.ts";

/** Everything that is known of one object, in the form of --json. */
interface Description extends Partial<ObjectUsage> {
  readonly name: string;
  readonly kind: ObjectUsage["kind"];
  readonly semaphore?: { readonly value: number | undefined };
  readonly creator?: { readonly pid: number; readonly alive: boolean | undefined } | undefined;
  readonly activity?: object;
  readonly values?: readonly NamedValue[];
  readonly damage?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly semaphores?: readonly { readonly name: string; readonly value: number | undefined }[];
  readonly fields?: readonly object[];
}

function describe(name: string): Description {
  const known = usage({ sysv: backingOf(name) === "sysv" });
  const same = known.filter((object) => object.name === name);
  const segment = same.find(({ type }) => type === "segment");
  const semaphore = same.find(({ type }) => type === "semaphore");
  if (segment === undefined && semaphore !== undefined) return semaphore;
  using object = openObject(name);
  const { kind, size } = object;
  const described: Description = {
    ...(segment ?? { name, size }),
    kind,
    holders: object.holders(),
    ...(semaphore === undefined ? {} : { semaphore: { value: semaphore.value } }),
  };
  if (kind === "raw") return described;
  const own = object.semaphores();
  return {
    ...described,
    creator: object.creator(),
    activity: object.activity(),
    values: object.values(),
    damage: object.damage(),
    roles: object.roles(),
    ...(own.length === 0 ? {} : { semaphores: valuesOf(own, known) }),
    fields: object.fields(),
  };
}

/** @returns The values of those semaphores that exist. */
function valuesOf(
  names: readonly string[],
  known: readonly ObjectUsage[],
): { name: string; value: number | undefined }[] {
  return known
    .filter(({ type, name }) => type === "semaphore" && names.includes(name))
    .map(({ name, value }) => ({ name, value }));
}

/** @returns Who holds something: "lock: 4711 bun worker.ts, stopped, since …". */
function heldText({ role, pid, command, state, since }: Holder): string {
  const who = pid === undefined ? "a process" : `${pid} ${command}`;
  const states = { running: "", stopped: ", stopped", dead: ", dead", unknown: ", out of sight" };
  const how = since === undefined ? "" : `, for ${ageText(since)}`;
  return `${role}: ${who}${states[state]}${how}`;
}

/** @returns A named value: `sent = 3`, and of a histogram its count, mean and percentiles. */
function valueText({ name, value, details }: NamedValue): string {
  if (details === undefined) return `${name} = ${value}`;
  const rest = Object.entries(details).map(([key, each]) => `${key} ${numberText(each)}`);
  return `${name} = ${value} (${rest.join(", ")})`;
}

const numberText = (value: number): string => String(Number(value.toPrecision(4)));

function line(label: string, text: string): void {
  print(`${paint("bold", label.padEnd(12))}${visible(text)}`);
}

function printDescription(described: Description): void {
  const { size = 0, used, mode, changed, value, state, creator, roles, damage } = described;
  line("name", described.name);
  line("kind", described.kind);
  line("size", `${size} bytes (${bytesText(size)})`);
  if (used !== undefined) line("used", `${used} bytes`);
  if (mode !== undefined) {
    line("mode", `${modeText(mode)} (0${mode.toString(8)}), owner ${described.owner}`);
  }
  if (changed !== undefined) line("changed", `${changed.toISOString()} (${ageText(changed)} ago)`);
  if (value !== undefined) line("value", String(value));
  if (state !== undefined) line("state", state);
  for (const { pid, command, how } of described.users ?? []) line(how, `${pid} ${command}`);
  if (creator !== undefined) {
    const life = creator.alive === undefined ? "out of sight" : creator.alive ? "alive" : "gone";
    line("creator", `process ${creator.pid}, ${life}`);
  }
  for (const holder of described.holders ?? []) line("held", heldText(holder));
  if (roles?.length === 0) line("held", "no role");
  for (const each of described.semaphores ?? []) line("semaphore", `${each.name} = ${each.value}`);
  if (damage !== undefined) line("damage", damage);
  for (const value of described.values ?? []) line("value", valueText(value));
  for (const [name, count] of Object.entries(described.activity ?? {})) line(name, String(count));
}

export const stat: Command = {
  name: "stat",
  summary:
    "Tell everything about one object. Shows its users, header, creator, roles that live " +
    "processes hold, counters and semaphores.",
  operands: "NAME",
  count: [1, 1],
  completes: "objects",
  examples: [["bun-shm stat orders", "what is in /orders, and who has it"]],
  run(call: Call): number {
    const described = describe(call.object);
    if (call.has("json")) printJson(described);
    else printDescription(described);
    return EXIT.ok;
  },
};
