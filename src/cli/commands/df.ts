import {
  containerSign,
  fileSystemInfo,
  memoryLimit,
  processLimit,
  sysctl,
} from "../../inspection/file-system.ts";
import { PLATFORM } from "../../libc/platform.ts";
import { UnsupportedError } from "../../errors.ts";
import { usage } from "../../operations/usage.ts";
import { type Call, type Command, EXIT } from "../command.ts";
import { bytesText, safeText } from "../format.ts";
import { complain, paint, print, printJson } from "../output.ts";

/** JSON has no Infinity: unlimited is null. */
const finite = (limit: number | undefined): number | null =>
  limit !== undefined && Number.isFinite(limit) ? limit : null;

function gather(): Record<string, unknown> & ReturnType<typeof fileSystemInfo> {
  const directory = PLATFORM?.directory;
  if (directory === undefined) {
    throw new UnsupportedError(
      `Cannot look: ${process.platform} does not show its objects as files`,
    );
  }
  const largest = usage({ kinds: false })
    .sort((a, b) => b.used - a.used)
    .slice(0, 5)
    .map(({ name, type, used, state }) => ({ name, type, used, state }));
  return {
    ...fileSystemInfo(directory),
    limits: {
      container: containerSign() ?? null,
      memory: memoryLimit() ?? null,
      fileSize: finite(processLimit("Max file size")),
      openFiles: finite(processLimit("Max open files")),
      lockedMemory: finite(processLimit("Max locked memory")),
      shmmax: sysctl("kernel.shmmax") ?? null,
      shmall: sysctl("kernel.shmall") ?? null,
      shmmni: sysctl("kernel.shmmni") ?? null,
    },
    largest,
  };
}

const LIMIT_TEXTS: Readonly<Record<string, string>> = {
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

function grow(size: string, directory: string): number {
  if (!/^\d+[kmg%]?$/i.test(size)) {
    complain(`"${size}" is no size: try 512M, 2G or 50%`);
    return EXIT.usage;
  }
  const { exitCode, stderr } = Bun.spawnSync(["mount", "-o", `remount,size=${size}`, directory]);
  if (exitCode === 0) return EXIT.ok;
  const why = stderr.toString().trim().split("\n")[0] ?? "mount failed";
  const hint = "It takes root on the machine itself; in a container, start it with --shm-size";
  complain(`Cannot remount ${directory}: ${why}. ${hint}`);
  return EXIT.denied;
}

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
    if (wanted !== undefined) {
      const code = grow(wanted, PLATFORM?.directory ?? "/dev/shm");
      if (code !== EXIT.ok) return code;
    }
    const info = gather();
    if (call.has("json")) {
      printJson(info);
      return EXIT.ok;
    }
    const { directory, type, options, size, used, free, files, filesFree } = info;
    const share = size === 0 ? 0 : Math.round((used / size) * 100);
    print(`${paint("bold", directory)}  ${type} (${options.join(",")})`);
    print(
      `${bar(used, size)} ${bytesText(used)} of ${bytesText(size)} used (${share}%), ` +
        `${bytesText(free)} free, ${files - filesFree} of ${files} objects`,
    );
    for (const [name, limit] of Object.entries(info["limits"] as Record<string, unknown>)) {
      const text = limit === null ? "no limit" : String(limit);
      if (name !== "container" || limit !== null) print(`  ${LIMIT_TEXTS[name]}: ${text}`);
    }
    const largest = info["largest"] as { name: string; used: number; state: string }[];
    if (largest.length > 0) print(paint("bold", "Largest:"));
    for (const object of largest) {
      print(`  ${bytesText(object.used).padStart(6)}  ${safeText(object.name)} (${object.state})`);
    }
    return EXIT.ok;
  },
};
