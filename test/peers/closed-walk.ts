/**
 * Calls everything of every handle after its end: after `close()`, after its segment's, after the
 * segment was given another size, and while a handler of a ring runs. Prints what goes wrong.
 * Argument: the prefix of its names.
 */
// Before the package: it replaces the constructors of errors.
import { endOf, fault, judge, membersOf } from "../support/faults.ts";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClosedError, RingBuffer, Segment } from "../../src/index.ts";
import type { Target } from "../support/garbage-target.ts";
import { targets } from "../support/garbage-targets.ts";

// What takes a path may write a file there.
process.chdir(mkdtempSync(join(tmpdir(), "bun-shm-test-")));

const [prefix = "/bun-shm-closed"] = process.argv.slice(2);

interface Closable {
  close(): void;
}

const WAYS: Readonly<Record<string, (target: Target) => void>> = {
  "close()": ({ on }) => (on as Closable).close(),
  "the segment's close()": ({ segment }) => segment?.close(),
  "a resize": ({ segment }) => segment?.resize(segment.size + 4096),
};

/** What may be done after the end: it has nothing left to do. */
const HARMLESS = new Set(["close", "byteLength"]);

let calls = 0;
const pending = new Set<string>();

function call(where: string, target: Target, method: string, mustThrow: boolean): void {
  calls++;
  const sound = target.sound?.[method] ?? [];
  const args = typeof sound === "function" ? sound() : sound;
  const on = target.on as Record<string, (...args: readonly unknown[]) => unknown>;
  try {
    const result = on[method]!(...args);
    if (result instanceof Promise) {
      pending.add(where);
      result
        .then(
          () => mustThrow && fault(`${where} worked`),
          (error: unknown) => judge(error, where),
        )
        .finally(() => pending.delete(where));
    } else if (mustThrow) fault(`${where} worked, and answered ${String(result)}`);
  } catch (error) {
    judge(error, where);
    if (mustThrow && !(error instanceof ClosedError)) fault(`${where} threw ${String(error)}`);
  }
}

for (const [name, make] of Object.entries(targets(prefix))) {
  const first = make();
  const isHandle =
    first.isClass !== true && typeof (first.on as Partial<Closable>).close === "function";
  const { methods, getters } = membersOf(first.on);
  endOf(first);
  if (!isHandle && first.segment === undefined) continue;
  if (first.isClass === true || (!isHandle && first.fresh === false)) continue;
  for (const [way, end] of Object.entries(WAYS)) {
    if (way === "close()" && !isHandle) continue;
    for (const member of [...methods, ...getters]) {
      if (first.skip?.includes(member)) continue;
      const target = make();
      try {
        end(target);
      } catch (error) {
        judge(error, `${name}, ${way}`);
        endOf(target);
        continue;
      }
      const where = `${name}.${member} after ${way}`;
      const isClosed = (target.on as { closed?: boolean }).closed === true;
      if (methods.includes(member)) call(where, target, member, isClosed && !HARMLESS.has(member));
      else {
        try {
          void (target.on as Record<string, unknown>)[member];
        } catch (error) {
          judge(error, where);
          if (!(error instanceof ClosedError)) fault(`${where} threw ${String(error)}`);
        }
      }
      endOf(target);
    }
  }
}

// In the middle of a handler, with records to come.
for (const kind of ["spsc", "mpsc", "broadcast"] as const) {
  const made = (): { segment: Segment; ring: RingBuffer; handles: Record<string, object> } => {
    const segment = Segment.create("memfd:handler", { size: 1 << 14 });
    const ring = RingBuffer.init(segment, 128, { kind, capacity: 1024 });
    const [producer, consumer] = [ring.producer(), ring.consumer()];
    for (let count = 0; count < 5; count++) producer.tryWrite("x");
    return { segment, ring, handles: { ring, producer, consumer, segment } };
  };
  const { handles: some } = made();
  for (const [which, on] of Object.entries(some)) {
    for (const method of membersOf(on).methods) {
      const { segment, ring, handles } = made();
      const where = `${kind} ${which}.${method} in a handler`;
      const soundOf: Record<string, readonly unknown[]> = {
        resize: [1 << 15],
        tryLock: [5],
        isLocked: [5],
        hold: ["x"],
        tryClaim: [4],
        claim: [4, { timeoutMs: 0 }],
        claimAsync: [4, { timeoutMs: 0 }],
        tryWrite: ["y"],
        write: ["y", { timeoutMs: 0 }],
        writeAsync: ["y", { timeoutMs: 0 }],
        tryRead: [() => undefined],
        read: [() => undefined, { timeoutMs: 0 }],
        readAsync: [() => undefined, { timeoutMs: 0 }],
        take: [{ timeoutMs: 0 }],
        takeAsync: [{ timeoutMs: 0 }],
        wait: [{ timeoutMs: 0 }],
        waitAsync: [{ timeoutMs: 0 }],
      };
      let turns = 0;
      try {
        (handles["consumer"] as ReturnType<RingBuffer["consumer"]>).tryRead(() => {
          if (turns++ > 0) return;
          const target: Target = {
            on: handles[which]!,
            sound: { [method]: soundOf[method] ?? [] },
            end: () => undefined,
          };
          call(where, target, method, false);
        });
      } catch (error) {
        judge(error, `${where}, afterwards`);
      }
      try {
        ring.close();
        segment.close();
      } catch (error) {
        judge(error, `${where}, at the end`);
      }
    }
  }
}

for (let turn = 0; turn < 100 && pending.size > 0; turn++) await Bun.sleep(20);
for (const where of pending) fault(`${where}: its promise does not end`);
console.log(`${calls} calls`);
