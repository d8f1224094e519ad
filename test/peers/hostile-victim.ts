/**
 * Uses every call of a few nouns while somebody changes their words, until the time is over. It
 * prints what is wrong, a line each, and at last how many calls of each noun ended well and how
 * many with an error. Arguments: its number, how many ms, the segment of the reports, and the
 * nouns, each as KIND=NAME.
 */
// Before the package: it replaces the constructors of errors.
import { isOwn } from "../support/own-errors.ts";
import * as api from "../../src/index.ts";
import { CALL_MS, HOSTILE_NOUNS, REPORT_LENGTH, type Use } from "../support/hostile-nouns.ts";
import { WATCHDOG_MS } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";

const [numberText = "0", timeText = "0", reports = "", ...targets] = process.argv.slice(2);
const victim = Number(numberText);
const end = performance.now() + Number(timeText);
const random = seededRandom(`victim ${victim}`);
/** How much longer than its timeout a call may last before it counts as hung. */
const GRACE_MS = WATCHDOG_MS / 4;
/** Calls of a noun before the next one has its turn. */
const CALLS = 40;

const OUR_ERRORS = [
  api.ClosedError,
  api.LayoutError,
  api.StateError,
  api.SystemError,
  api.UnsupportedError,
  TypeError,
  RangeError,
];

const faults = new Set<string>();
function fault(what: string): void {
  if (faults.has(what) || faults.size > 20) return;
  faults.add(what);
  console.log(`fault: ${what}`);
}

// For whoever finds this process hung or dead: the call in which it is.
const reported = api.Segment.open(reports);
const report = reported.bytes.subarray(victim * REPORT_LENGTH, (victim + 1) * REPORT_LENGTH);
const encoder = new TextEncoder();
function note(where: string): void {
  const { written } = encoder.encodeInto(where, report);
  report[Math.min(written, REPORT_LENGTH - 1)] = 0;
}

/** Memory of this process alone. */
const CANARY = 0x5a;
const canaries = Array.from({ length: 64 }, () => new Uint8Array(16384).fill(CANARY));

let beats = 0;
setInterval(() => beats++, 2).unref();

interface Target {
  readonly kind: string;
  readonly name: string;
  use: Use | undefined;
  done: number;
  refused: number;
}

function judge(target: Target, where: string, error: unknown): void {
  target.refused++;
  if (isOwn(error) && OUR_ERRORS.some((each) => error instanceof each)) return;
  const stack =
    error instanceof Error ? (error.stack ?? "").split("\n").slice(0, 6).join(" | ") : "";
  fault(`${where}: ${String(error)} ${stack}`);
}

function checkTime(where: string, since: number): void {
  const took = performance.now() - since;
  if (took > CALL_MS + GRACE_MS) fault(`${where}: it lasted ${Math.round(took)} ms`);
}

function attempt(target: Target, where: string, call: () => unknown): void {
  note(where);
  const since = performance.now();
  try {
    call();
    target.done++;
  } catch (error) {
    judge(target, where, error);
  }
  checkTime(where, since);
}

async function attemptAsync(target: Target, where: string, call: () => unknown): Promise<void> {
  const since = performance.now();
  try {
    await call();
    target.done++;
  } catch (error) {
    judge(target, where, error);
  }
  checkTime(where, since);
}

async function turn(target: Target): Promise<void> {
  const { kind, name } = target;
  if (target.use === undefined) {
    attempt(target, `${kind}: open`, () => {
      target.use = HOSTILE_NOUNS[kind]!.use(name, victim);
    });
  }
  const { use } = target;
  if (use === undefined) return;
  const blocking = Object.entries(use.blocking);
  for (let count = 0; count < CALLS; count++) {
    const [call, fn] = blocking[Math.floor(random() * blocking.length)]!;
    attempt(target, `${kind}: ${call}`, fn);
  }
  const waiting = Object.entries(use.waiting);
  if (waiting.length > 0) {
    note(`${kind}: ${waiting.map(([call]) => call).join(", ")}`);
    const [since, before] = [performance.now(), beats];
    await Promise.all(waiting.map(([call, fn]) => attemptAsync(target, `${kind}: ${call}`, fn)));
    if (performance.now() - since > GRACE_MS && beats === before) {
      fault(`${kind}: its asynchronous waits kept the event loop from turning`);
    }
  }
  if (random() < 0.2) {
    attempt(target, `${kind}: close`, () => use.close());
    target.use = undefined;
  }
}

const all: readonly Target[] = targets.map((text) => {
  const [kind = "", name = ""] = text.split("=");
  return { kind, name, use: undefined, done: 0, refused: 0 };
});
console.log("ready");
while (performance.now() < end) {
  for (const target of all) await turn(target);
  // What the calls did not give back is not the event loop's.
  await new Promise((resolve) => setImmediate(resolve));
}
for (const target of all) {
  attempt(target, `${target.kind}: last close`, () => target.use?.close());
}
for (const canary of canaries) {
  if (!canary.every((byte) => byte === CANARY)) fault("private memory was changed");
}
if (beats === 0) fault("no timer came");
note("the end");
for (const { kind, done, refused } of all) console.log(`${kind}: ${done} done, ${refused} refused`);
process.exit(0);
