/**
 * Calls everything of the public surface with garbage, and prints what goes wrong, a line each:
 * errors of the engine, messages that are no fit for people, and refused calls that changed bytes
 * or left an object. Argument: the prefix of its names; and "accepted" to print what is accepted.
 */
// Before the package: it replaces the constructors of errors.
import { endOf, fault, judge, membersOf } from "../support/faults.ts";
import { mkdtempSync, readdirSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as api from "../../src/index.ts";
import { GARBAGE } from "../support/garbage.ts";
import type { Target } from "../support/garbage-target.ts";
import { targets } from "../support/garbage-targets.ts";

// What takes a path may write a file there.
process.chdir(mkdtempSync(join(tmpdir(), "bun-shm-test-")));

const [prefix = "/bun-shm-garbage", show = ""] = process.argv.slice(2);
const isShown = show === "accepted";

let calls = 0;
/**
 * An argument meets one in so many of the garbage, and an option one in more; others each time. In
 * the long form they meet all.
 */
const SOAK = process.env["BUN_SHM_SOAK"] !== undefined;
const ARGUMENT_STEP = SOAK ? 1 : 2;
const OPTION_STEP = SOAK ? 1 : 5;
let turn = 0;
const FEW: ReadonlySet<string> = new Set(["null", "{}", "Symbol()"]);
/** For whoever finds this hung or dead: the last call. */
const trace = process.env["GARBAGE_TRACE"] !== undefined;

const isEmpty = (value: unknown): boolean =>
  value === undefined || (typeof value === "object" && value !== null && hasNoKeys(value));

function hasNoKeys(value: object): boolean {
  try {
    // Inherited options do not count: such a wait has no end.
    return !Array.isArray(value) && Object.keys(value).length === 0;
  } catch {
    return false;
  }
}

interface Case {
  readonly given: string;
  readonly args: readonly unknown[];
}

/** Every sound argument, one after the other, replaced by every piece of garbage. */
function* casesOf(
  sound: readonly unknown[],
  more: readonly string[],
  arity: number,
): Generator<Case> {
  const put = (at: number, value: unknown): unknown[] => {
    const args = [...sound];
    args[at] = value;
    return args;
  };
  for (let at = 0; at <= sound.length; at++) {
    const old = sound[at];
    const isOptions =
      typeof old === "object" && old !== null && Object.getPrototypeOf(old) === Object.prototype;
    const waits = isOptions && "timeoutMs" in old;
    for (const [given, make] of Object.entries(GARBAGE)) {
      // What comes after all that is looked at is not looked at.
      if (at === sound.length && at >= arity && !FEW.has(given)) continue;
      if (turn++ % ARGUMENT_STEP !== 0) continue;
      const value = make();
      if (waits && isEmpty(value)) continue;
      // A class whose getters want an instance is as good as one whose getters throw.
      if (given === "class" && typeof old === "function") continue;
      if (given.endsWith("of a segment") && !(old instanceof api.Segment)) continue;
      yield { given: `${at}: ${given}`, args: put(at, value) };
    }
    if (!isOptions) continue;
    for (const key of new Set([...Object.keys(old), ...more])) {
      for (const [given, make] of Object.entries(GARBAGE)) {
        if (turn++ % OPTION_STEP !== 0) continue;
        const value = make();
        if (given.endsWith("of a segment")) continue;
        // That much memory takes long to reserve.
        if (key === "size" && (value === 2 ** 31 || value === 2 ** 32)) continue;
        if (
          key === "timeoutMs" &&
          (value === undefined || (typeof value === "number" && value > 0))
        )
          continue;
        yield { given: `${key}: ${given}`, args: put(at, { ...old, [key]: value }) };
        if (!FEW.has(given)) continue;
        yield {
          given: `${key}, inherited: ${given}`,
          args: put(at, Object.create({ ...old, [key]: value })),
        };
      }
    }
    yield { given: "a typo", args: put(at, { ...old, [`${Object.keys(old)[0] ?? "mode"}s`]: 1 }) };
    yield { given: "frozen", args: put(at, Object.freeze({ ...old })) };
  }
}

/** The bytes of a target's segment before its next call. */
const bytesBefore = new WeakMap<Target, Buffer>();

function snapshot(target: Target): Buffer | undefined {
  const { segment } = target;
  if (segment === undefined || segment.closed) return undefined;
  const bytes = bytesBefore.get(target) ?? Buffer.from(segment.bytes);
  bytesBefore.set(target, bytes);
  return bytes;
}

const ours = prefix.slice(1);
const objects = (): string =>
  readdirSync("/dev/shm")
    .filter((file) => file.includes(ours))
    .join();

/** Calls whose promises have not ended. */
const pending = new Set<string>();

/** Ends what a call handed out. */
function letGo(result: unknown, where: string): void {
  if (typeof result !== "object" || result === null || ArrayBuffer.isView(result)) return;
  if (result instanceof Promise) {
    pending.add(where);
    void result
      .then(
        (value: unknown) => letGo(value, where),
        (error: unknown) => judge(error, where),
      )
      .finally(() => pending.delete(where));
    return;
  }
  try {
    if (Symbol.dispose in result) (result as Disposable)[Symbol.dispose]();
    else if (Symbol.asyncIterator in result) void (result as AsyncGenerator).return(undefined);
    else if (Symbol.iterator in result) for (const _ of result as Iterable<unknown>) break;
  } catch (error) {
    judge(error, `${where}, let go`);
  }
}

function attempt(where: string, { given, args }: Case, target: Target, method: string): boolean {
  const place = `${where}(${given})`;
  if (trace) writeSync(2, `${place}\n`);
  calls++;
  const before = snapshot(target);
  const there = target.named ? objects() : "";
  const on = target.on as Record<string, (...args: unknown[]) => unknown>;
  try {
    const result = on[method]!(...args);
    if (isShown && !(result instanceof Promise)) console.log(`accepted ${place}`);
    letGo(result, place);
    if (target.named === true) remove(args[0]);
    bytesBefore.delete(target);
    return true;
  } catch (error) {
    judge(error, place);
    const marks = target.marks?.includes(method) === true;
    if (
      before !== undefined &&
      !marks &&
      !target.segment!.closed &&
      !before.equals(target.segment!.bytes)
    ) {
      bytesBefore.delete(target);
      fault(`${place}: bytes were changed, and ${String(error)}`);
    }
    if (target.named && objects() !== there)
      fault(`${place}: objects ${objects()}, and ${String(error)}`);
  }
  return false;
}

/** What was made under a name that is possible, however odd. */
function remove(name: unknown): void {
  if (typeof name !== "string" || name.length > 250 || !/^\/[^/\0]+$/.test(name)) return;
  for (const noun of [api.Segment, api.Semaphore]) noun.unlink(name);
  if (name.length < 200) api.MessageQueue.unlink(name);
}

for (const [name, make] of Object.entries(targets(prefix))) {
  if (trace) console.error(`TIME ${Math.round(performance.now())} ${calls} ${name}`);
  const first = make();
  const { methods, getters } = membersOf(first.on);
  for (const getter of getters) {
    try {
      void (first.on as Record<string, unknown>)[getter];
    } catch (error) {
      judge(error, `${name}.${getter}`);
    }
    if (first.isClass === true) continue;
    try {
      (first.on as Record<string, unknown>)[getter] = 5;
    } catch {
      // A getter without a setter says so in the engine's words.
    }
  }
  endOf(first);
  for (const method of methods) {
    if (first.skip?.includes(method)) continue;
    let target = make();
    const where = `${name}.${method}`;
    const sound = target.sound?.[method] ?? [];
    const sounds = typeof sound === "function" ? sound : () => sound;
    // Where nothing sound is known for what it declares, that is garbage too.
    const arity = (target.on as Record<string, { length: number }>)[method]!.length;
    for (const one of casesOf(sounds(), target.options?.[method] ?? [], arity)) {
      const passed = attempt(where, one, target, method);
      if (passed && target.fresh !== false) {
        endOf(target);
        target = make();
      }
    }
    endOf(target);
    // And it works with what is sound, after all that.
  }
}
for (let turn = 0; turn < 100 && pending.size > 0; turn++) await Bun.sleep(20);
for (const where of pending) fault(`${where}: its promise does not end`);
console.log(`${calls} calls`);
