import { statSync } from "node:fs";
import { readFields } from "../../inspection/fields.ts";
import { openReader } from "../../inspection/object-reader.ts";
import { heldLocks, isAlive } from "../../memory/processes.ts";
import { identify } from "../../inspection/identify.ts";
import { queueSemaphores } from "../../layout/message-queue-layout.ts";
import { nameKind } from "../../memory/objects/segment-name.ts";
import { type ObjectUsage, usage } from "../../operations/usage.ts";
import { type Call, type Command, EXIT } from "../command.ts";
import { ageText, bytesText, modeText, safeText } from "../format.ts";
import { objectName } from "../names.ts";
import { paint, print, printJson } from "../output.ts";

/** Everything that is known of one object. */
function describe(name: string): Record<string, unknown> {
  const known = usage({ sysv: nameKind(name) === "sysv" }).filter((o) => o.name === name);
  const segment = known.find(({ type }) => type === "segment");
  const semaphore = known.find(({ type }) => type === "semaphore");
  if (segment === undefined && semaphore !== undefined) return { ...semaphore };
  using reader = openReader(name);
  const found = identify(reader);
  const described: Record<string, unknown> = {
    ...(segment ?? { name, size: reader.size() }),
    kind: found?.structure.kind ?? "raw",
  };
  if (semaphore !== undefined) described["semaphore"] = { value: semaphore.value };
  if (found === undefined) return described;
  const { structure, words } = found;
  const fields = readFields(found);
  const creator = Number(fields.find((field) => field.name === "creator_pid")?.value ?? 0);
  if (creator > 0) described["creator"] = { pid: creator, alive: isAlive(creator) };
  described["activity"] = structure.activity(words);
  const damage = structure.damage(words);
  if (damage !== undefined) described["damage"] = damage;
  const { device, inode } = fileOf(name);
  if (inode !== 0) {
    described["roles"] = structure.roles(heldLocks(device, inode));
  }
  if (structure.kind === "queue") {
    described["semaphores"] = semaphoresOf(name);
  }
  described["fields"] = fields;
  return described;
}

function fileOf(name: string): { device: number; inode: number } {
  if (nameKind(name) !== "posix") return { device: 0, inode: 0 };
  const stat = statSync(`/dev/shm${name}`, { throwIfNoEntry: false });
  return { device: stat?.dev ?? 0, inode: stat?.ino ?? 0 };
}

/** The three semaphores of a message queue, as far as they exist. */
function semaphoresOf(name: string): { name: string; value: number | undefined }[] {
  const wanted: readonly string[] = queueSemaphores(name);
  return usage({ kinds: false })
    .filter((object) => object.type === "semaphore" && wanted.includes(object.name))
    .map((object) => ({ name: object.name, value: object.value }));
}

function line(label: string, text: string): void {
  print(`${paint("bold", label.padEnd(12))}${safeText(text)}`);
}

function printDescription(described: Record<string, unknown>): void {
  const object = described as unknown as Partial<ObjectUsage> & { kind: string; name: string };
  line("name", object.name);
  line("kind", object.kind);
  line("size", `${object.size} bytes (${bytesText(object.size ?? 0)})`);
  if (object.used !== undefined) line("used", `${object.used} bytes`);
  if (object.mode !== undefined) {
    line("mode", `${modeText(object.mode)} (0${object.mode.toString(8)}), owner ${object.owner}`);
  }
  if (object.changed !== undefined) {
    line("changed", `${object.changed.toISOString()} (${ageText(object.changed)} ago)`);
  }
  if (object.value !== undefined) line("value", String(object.value));
  if (object.state !== undefined) line("state", object.state);
  for (const { pid, command, how } of object.users ?? []) line(how, `${pid} ${command}`);
  const creator = described["creator"] as { pid: number; alive: boolean } | undefined;
  if (creator !== undefined) {
    line("creator", `process ${creator.pid}, ${creator.alive ? "alive" : "gone"}`);
  }
  const roles = described["roles"] as readonly string[] | undefined;
  if (roles !== undefined) line("held", roles.length === 0 ? "no role" : roles.join(", "));
  for (const semaphore of (described["semaphores"] ?? []) as { name: string; value: number }[]) {
    line("semaphore", `${semaphore.name} = ${semaphore.value}`);
  }
  if (described["damage"] !== undefined) line("damage", String(described["damage"]));
  const counters = Object.entries((described["activity"] ?? {}) as Record<string, unknown>);
  for (const [name, value] of counters) line(name, String(value));
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
    const described = describe(objectName(call.operands[0]!));
    if (call.has("json")) printJson(described);
    else printDescription(described);
    return EXIT.ok;
  },
};
