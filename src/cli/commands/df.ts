import { visible } from "../../arguments.ts";
import {
  type ObjectUsage,
  type Room,
  type RoomLimits,
  type UnlistedMemory,
  room,
  unlisted,
  usage,
} from "../../index.ts";
import type { Call, Command } from "../command.ts";
import { EXIT, Failure, UsageError } from "../failure.ts";
import { bytesText } from "../format.ts";
import { exactNumber, paint, print, printJson } from "../output.ts";
import { unlistedLines } from "./ls.ts";

type Largest = Pick<ObjectUsage, "name" | "type" | "used" | "state">;

/** What takes the room. */
interface Taken {
  readonly largest: readonly Largest[];
  readonly unlisted: readonly UnlistedMemory[];
  /** Bytes that are in nothing that this user can see. */
  readonly unseen: number;
}

function takenOf({ used }: Room): Taken {
  const objects = usage({ kinds: false });
  const hidden = unlisted();
  const seen = [...objects, ...hidden].reduce((sum, each) => sum + each.used, 0);
  return { largest: largestOf(objects), unlisted: hidden, unseen: Math.max(0, used - seen) };
}

/** @returns The objects that take most of the room. */
function largestOf(objects: readonly ObjectUsage[]): Largest[] {
  return [...objects]
    .sort((a, b) => b.used - a.used)
    .slice(0, 5)
    .map(({ name, type, used, state }) => ({ name, type, used, state }));
}

const LIMIT_TEXTS: Readonly<Record<keyof RoomLimits, string>> = {
  container: "container",
  memory: "memory of the control group",
  fileSize: "ulimit -f, largest object",
  openFiles: "ulimit -n, open descriptors",
  lockedMemory: "ulimit -l, locked memory",
  shmmax: "kernel.shmmax, largest System V segment",
  shmall: "kernel.shmall, pages of System V memory",
  shmmni: "kernel.shmmni, System V segments",
};

function bar(part: number, whole: number, width = 30): string {
  const filled = whole === 0 ? 0 : Math.round((part / whole) * width);
  return `[${"#".repeat(filled)}${".".repeat(width - filled)}]`;
}

/** Remounts the directory with another size. @throws UsageError, Failure. */
function grow(size: string, directory: string): void {
  if (!/^\d+[kmg%]?$/i.test(size)) {
    throw new UsageError(`--grow is "${size}", and must be a size, such as 512M, 2G or 50%`);
  }
  const { exitCode, stderr } = Bun.spawnSync(["mount", "-o", `remount,size=${size}`, directory]);
  if (exitCode === 0) return;
  const why = stderr.toString().trim().split("\n")[0] ?? "mount failed";
  const hint = "It takes root on the machine itself; in a container, start it with --shm-size";
  throw new Failure(EXIT.denied, `Cannot remount ${directory}: ${why}. ${hint}`);
}

function printRoom(info: Room, { largest, unlisted: hidden, unseen }: Taken): void {
  const { directory, type, options, size, used, free, files, filesFree, limits } = info;
  const share = size === 0 ? 0 : Math.round((used / size) * 100);
  print(`${paint("bold", directory)}  ${type} (${options.join(",")})`);
  print(
    `${bar(used, size)} ${bytesText(used)} of ${bytesText(size)} used (${share}%), ` +
      `${bytesText(free)} free, ${files - filesFree} of ${files} objects`,
  );
  for (const [name, text] of Object.entries(LIMIT_TEXTS)) {
    const limit = limits[name as keyof RoomLimits];
    if (name !== "container" || limit !== undefined) print(`  ${text}: ${limit ?? "no limit"}`);
  }
  if (largest.length > 0) print(paint("bold", "Largest:"));
  for (const object of largest) {
    print(`  ${bytesText(object.used).padStart(6)}  ${visible(object.name)} (${object.state})`);
  }
  for (const line of unlistedLines(hidden)) print(line);
  if (unseen >= UNSEEN_LENGTH) {
    print(`  ${bytesText(unseen).padStart(6)}  in no object that this user can see`);
  }
}

/** Fewer bytes than this are in directories themselves, in links and the like. */
const UNSEEN_LENGTH = 2 ** 20;

export const df: Command = {
  name: "df",
  summary: "Show the room for shared memory, what bounds it, and what takes most of it.",
  count: [0, 0],
  options: {
    grow: { value: "SIZE", text: "Remount with this size first (512M, 2G, 50%); needs root." },
  },
  examples: [
    ["bun-shm df", "how full /dev/shm is, and of what"],
    ["bun-shm df --grow 2G", "make it larger until the next boot"],
  ],
  run(call: Call): number {
    const wanted = call.text("grow");
    if (wanted !== undefined) grow(wanted, room().directory);
    const info = room();
    const taken = takenOf(info);
    if (!call.has("json")) {
      printRoom(info, taken);
      return EXIT.ok;
    }
    // JSON leaves out what is undefined: no limit is null.
    const limits = Object.fromEntries(
      Object.keys(LIMIT_TEXTS).map((name) => [
        name,
        exactNumber(info.limits[name as keyof RoomLimits]),
      ]),
    );
    printJson({ ...info, limits, ...taken });
    return EXIT.ok;
  },
};
