/** create, resize, cp, restore, rm, prune: an object's life. */
import { closeSync, openSync, readSync, fstatSync } from "node:fs";
import { E, fail } from "../../libc/errno.ts";
import { openReader } from "../../inspection/object-reader.ts";
import { nameKind } from "../../memory/objects/segment-name.ts";
import { type PruneResult, prune as pruneAll } from "../../operations/prune.ts";
import { Segment } from "../../segment/segment.ts";
import { type ObjectUsage, usage } from "../../operations/usage.ts";
import { type Call, type Command, EXIT, UsageError, parseBytes } from "../command.ts";
import { bytesText } from "../format.ts";
import { objectName } from "../names.ts";
import { complain, print, printJson, writeAll } from "../output.ts";
import { usersText } from "./ls.ts";
import { removeSemaphore } from "../semaphores.ts";

function parseMode(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^0?[0-7]{3}$/.test(text)) {
    throw new UsageError(`--mode is "${text}", and must be three octal digits, such as 600`);
  }
  return Number.parseInt(text, 8);
}

export const create: Command = {
  name: "create",
  summary: "Make an object of zeros. Its memory is reserved at once.",
  operands: "NAME SIZE",
  count: [2, 2],
  options: {
    mode: { value: "MODE", text: "Permissions in octal; default 600." },
    sparse: { text: "Do not reserve the memory." },
    huge: { text: "Use huge pages (System V)." },
  },
  examples: [["bun-shm create orders 1M --mode 660", "one mebibyte for user and group"]],
  run(call: Call): number {
    const [typed, size] = call.operands;
    const name = objectName(typed!);
    if (nameKind(name) === "memfd") {
      throw new UsageError("A memfd ends with the process that makes it: use another backing");
    }
    const mode = parseMode(call.text("mode"));
    using segment = Segment.create(name, {
      size: parseBytes("SIZE", size!),
      reserve: !call.has("sparse"),
      hugePages: call.has("huge"),
      ...(mode === undefined ? {} : { mode }),
    });
    if (call.has("json")) printJson({ name: segment.name, size: segment.size });
    else print(`Created ${segment.name}: ${segment.size} bytes`);
    return EXIT.ok;
  },
};

export const resize: Command = {
  name: "resize",
  summary: "Give an object another size. Growing keeps the data; shrinking needs --force.",
  operands: "NAME SIZE",
  count: [2, 2],
  completes: "objects",
  options: { force: { text: "Shrink, though it ends a process that touches what is cut off." } },
  examples: [["bun-shm resize orders 2M", "grow /orders to two mebibytes"]],
  run(call: Call): number {
    const [typed, size] = call.operands;
    using segment = Segment.open(objectName(typed!));
    const before = segment.size;
    const wanted = parseBytes("SIZE", size!);
    if (wanted < before && !call.has("force")) {
      const why = "shrinking ends every process that touches what is cut off";
      throw new UsageError(`${segment.name} has ${before} bytes, and ${why}: --force does it`);
    }
    segment.resize(wanted, { force: call.has("force") });
    if (call.has("json")) printJson({ name: segment.name, before, size: segment.size });
    else print(`Resized ${segment.name}: ${before} to ${segment.size} bytes`);
    return EXIT.ok;
  },
};

const PIECE = 1 << 20;

export const cp: Command = {
  name: "cp",
  summary:
    "Copy an object's bytes to a file, or to standard output with -. Writers are not stopped.",
  operands: "NAME FILE",
  count: [2, 2],
  completes: "objects",
  examples: [
    ["bun-shm cp orders orders.bin", "a snapshot of /orders"],
    ["bun-shm cp orders - | gzip > orders.gz", "the same, compressed"],
  ],
  run(call: Call): number {
    const [typed, file] = call.operands;
    using reader = openReader(objectName(typed!));
    const target = file === "-" ? 1 : openSync(file!, "w", 0o600);
    let copied = 0;
    try {
      for (;;) {
        const bytes = reader.read(copied, PIECE);
        if (bytes.length === 0) break;
        writeAll(target, bytes);
        copied += bytes.length;
      }
    } finally {
      if (target !== 1) closeSync(target);
    }
    if (file === "-") return EXIT.ok;
    if (call.has("json")) printJson({ name: reader.name, file, bytes: copied });
    else print(`Copied ${reader.name} to ${file}: ${copied} bytes`);
    return EXIT.ok;
  },
};

export const restore: Command = {
  name: "restore",
  summary: "Make an object out of a file that cp wrote. An existing one needs --force.",
  operands: "FILE NAME",
  count: [2, 2],
  completes: "files",
  options: {
    mode: { value: "MODE", text: "Permissions in octal; default 600." },
    force: { text: "Replace an object of that name that nobody has open." },
  },
  examples: [["bun-shm restore orders.bin orders", "bring the snapshot back as /orders"]],
  run(call: Call): number {
    const [file, typed] = call.operands;
    const name = objectName(typed!);
    const source = openSync(file!, "r");
    try {
      const { size } = fstatSync(source);
      if (size === 0) throw new UsageError(`${file} is empty, and an object cannot be`);
      const mode = parseMode(call.text("mode"));
      const options = { size, ...(mode === undefined ? {} : { mode }) };
      using segment = call.has("force")
        ? Segment.openOrCreate(name, { ...options, truncate: true })
        : Segment.create(name, options);
      const { bytes } = segment;
      for (let at = 0; at < size;) {
        const count = readSync(source, bytes, at, Math.min(PIECE, size - at), at);
        if (count === 0) break;
        at += count;
      }
      if (call.has("json")) printJson({ name, file, bytes: size });
      else print(`Restored ${name} from ${file}: ${size} bytes`);
      return EXIT.ok;
    } finally {
      closeSync(source);
    }
  },
};

const LIST_HINT = "`bun-shm ls` lists what there is";

/** Removes one object, or says in an error why not. */
function remove(object: ObjectUsage | undefined, name: string, force: boolean): void {
  if (object !== undefined && object.state === "in use" && !force) {
    const hint = `${usersText(object) || "A live process"} has it; --force removes its name`;
    fail(`Cannot remove "${name}"`, -E.EBUSY, "shm_unlink", name, hint);
  }
  const removed = object?.type === "semaphore" ? removeSemaphore(name) : Segment.unlink(name);
  if (!removed) {
    fail(`Cannot remove "${name}"`, -E.ENOENT, "shm_unlink", name, LIST_HINT);
  }
}

export const rm: Command = {
  name: "rm",
  summary: "Remove objects and semaphores by name. What a live process has needs --force.",
  operands: "NAME…",
  count: [1, Number.POSITIVE_INFINITY],
  completes: "objects",
  options: {
    force: { short: "f", text: "Also what is in use: users keep the memory and lose the name." },
    sem: { text: "The names are of semaphores, where a segment has the same one." },
  },
  examples: [["bun-shm rm orders mq_mutex", "remove a segment and a semaphore"]],
  run(call: Call): number {
    const names = call.operands.map(objectName);
    const all = usage({ sysv: names.some((name) => name.startsWith("sysv:")), kinds: false });
    let code: number = EXIT.ok;
    const outcomes = names.map((name) => {
      const same = all.filter((object) => object.name === name);
      const wanted = call.has("sem") ? "semaphore" : "segment";
      const object = same.find(({ type }) => type === wanted) ?? same[0];
      try {
        remove(object, name, call.has("force"));
        if (!call.has("json")) print(`Removed ${name}`);
        return { name, removed: true };
      } catch (error) {
        const { code: why = "", message } = error as { code?: string; message: string };
        complain(message);
        const codes: Record<string, number> = { EBUSY: EXIT.busy, ENOENT: EXIT.missing };
        code = codes[why] ?? (why === "EACCES" || why === "EPERM" ? EXIT.denied : EXIT.failed);
        return { name, removed: false, error: message };
      }
    });
    if (call.has("json")) printJson(outcomes);
    return code;
  },
};

function printPruned({ removed, kept, failed }: PruneResult, dryRun: boolean): void {
  for (const { name, type, used } of removed) {
    print(`${dryRun ? "Would remove" : "Removed"} ${type} ${name} (${bytesText(used)})`);
  }
  for (const { object, error } of failed) complain(`${object.name}: ${error.message}`);
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
    force: { text: "Also what is in use: users keep the memory and lose the name." },
    sysv: { text: "Also System V segments." },
  },
  examples: [
    ["bun-shm prune --dry-run", "see what is left over"],
    ["bun-shm prune 'test-*'", "remove the leftovers whose names start so"],
  ],
  run(call: Call): number {
    const [pattern] = call.operands;
    const glob = pattern === undefined ? undefined : new Bun.Glob(pattern.replace(/^\//, ""));
    const dryRun = call.has("dry-run");
    const result = pruneAll({
      dryRun,
      force: call.has("force"),
      sysv: call.has("sysv"),
      only: ({ name }) => glob?.match(name.replace(/^\//, "")) ?? true,
    });
    if (call.has("json")) {
      const failed = result.failed.map(({ object, error }) => ({ object, error: error.message }));
      printJson({ ...result, failed });
    } else {
      printPruned(result, dryRun);
    }
    return result.failed.length > 0 ? EXIT.denied : EXIT.ok;
  },
};
