/**
 * Times that processes share: they are counted from the start of the machine, so that nobody's
 * setting of the clock moves them. Memory on disk outlives the machine's start, so what is kept
 * there also names the start that it is counted from.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { PLATFORM } from "../libc/platform.ts";
import { boottimeMs, realtimeMs } from "../libc/time.ts";

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

let offsetMs: number | undefined;

/**
 * A process in a time namespace of its own sees the clock moved.
 * @returns By how much, in ms.
 */
export function namespaceOffsetMs(): number {
  if (offsetMs !== undefined) return offsetMs;
  const found = /^boottime\s+(-?\d+)\s+(\d+)/m.exec(read("/proc/self/timens_offsets"));
  offsetMs = found === null ? 0 : Number(found[1]) * 1e3 + Number(found[2]) / 1e6;
  return offsetMs;
}

/** The time since the machine started, in ms, which includes the time that it slept. */
export function bootMs(): number {
  return boottimeMs() - namespaceOffsetMs();
}

/** The clock of times that are kept in memory. */
export interface BootClock {
  /** Names this start of the machine: 32 bits of the kernel's random id; 0 where there is none. */
  readonly boot: number;
  /** The time since then, in ms. */
  readonly nowMs: () => number;
}

let clock: BootClock | undefined;

export function bootClock(): BootClock {
  const digits = (): string => read("/proc/sys/kernel/random/boot_id").slice(0, 8);
  return (clock ??= { boot: Number.parseInt(digits(), 16) | 0, nowMs: bootMs });
}

/** When a directory came to be, in ms since 1970 by the wall clock of then; 0 when nobody says. */
function bornMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.birthtimeMs ?? 0;
}

/** When the first process of this container or machine started, in ms as `boottimeMs` counts. */
function firstStartMs(): number {
  const stat = read("/proc/1/stat");
  // The first field after the name, which may contain anything, is the third one.
  const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[START_FIELD - 3];
  return Number(ticks) * MS_PER_TICK;
}

const START_FIELD = 22;
const MS_PER_TICK = 10;

/**
 * The wall clock, and if somebody has set that back, what it would be otherwise.
 *
 * Named objects last as long as their memory is mounted. The kernel keeps the wall clock's time of
 * that mount, and the first process starts next to it; so the time since that start is added to the
 * former. Memory that was mounted later than /dev, in which it lies, counts from the birth of that.
 *
 * It grows as long as named objects last, and after a restart it is greater than before, unless the
 * wall clock went back meanwhile. All processes that share the objects agree on it, but for those
 * in a PID namespace that began later than the mount: they go by the wall clock.
 *
 * @returns Milliseconds since 1970.
 */
export function steadyMs(): number {
  const now = realtimeMs();
  const directory = PLATFORM?.directory;
  if (directory === undefined) return now;
  const mountedMs = bornMs(directory);
  const sinceMs = boottimeMs() - firstStartMs();
  const lateMs = mountedMs - bornMs(dirname(directory));
  // Where it would be later than the start is long ago, /dev is older than this run of the machine.
  const startedMs = lateMs > 0 && lateMs <= sinceMs ? mountedMs - lateMs : mountedMs;
  // It is NaN or long ago where the kernel does not say enough.
  const steady = startedMs + sinceMs;
  return steady > now ? steady : now;
}
