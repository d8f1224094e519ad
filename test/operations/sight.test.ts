/** What cannot be seen is unknown, and is never removed: other users, other PID namespaces. */
import { describe, expect, test } from "bun:test";
import { closeSync, constants, existsSync, openSync } from "node:fs";
import {
  type ObjectUsage,
  type PruneResult,
  RingBuffer,
  Segment,
  Semaphore,
  prune,
  usage,
} from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { testAsAnother, testNeeding, testWithC } from "../support/needs.ts";
import { C_COMPILER, type Child, compileC, runBun, spawnBun } from "../support/process.ts";
import { MAIN, outputUntil } from "../support/shm.ts";

const asUser = (uid: number): string[] => [
  "setpriv",
  `--reuid=${uid}`,
  `--regid=${uid}`,
  "--clear-groups",
];
const NOBODY = asUser(65534);
const INSIDE = ["unshare", "-pf", "--mount-proc"];
const canNest = process.getuid?.() === 0 && Bun.spawnSync([...INSIDE, "true"]).exitCode === 0;
const testInNamespace = testNeeding("root, unshare and a C compiler", canNest && !!C_COMPILER);

async function foreign(how: readonly string[], ...args: string[]): Promise<Child> {
  const program = compileC("test/peers/foreign.c");
  Bun.spawnSync(["chmod", "-R", "a+rX", program.slice(0, program.lastIndexOf("/"))]);
  const child = Bun.spawn([...how, program, ...args], { stdio: ["pipe", "pipe", "pipe"] }) as Child;
  await outputUntil(child, "ready");
  return child;
}

/** Runs the command and parses its JSON. */
function json<T>(how: readonly string[], ...args: string[]): T {
  const command = [...how, process.execPath, MAIN, ...args, "--json"];
  const { stdout } = Bun.spawnSync(command, { env: { ...process.env, HOME: "/tmp" } });
  return JSON.parse(stdout.toString()) as T;
}

const stateOf = (how: readonly string[], name: string): ObjectUsage["state"] | undefined =>
  json<ObjectUsage[]>(how, "ls", name)[0]?.state;

/** What prune makes of one object. */
function pruned(how: readonly string[], name: string, ...more: string[]): string {
  const { removed, kept, failed } = json<PruneResult>(how, "prune", name, ...more);
  if (failed.length > 0) return "failed";
  return removed.length > 0 ? "removed" : (kept[0]?.reason ?? "nothing");
}

async function ended(child: Child): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}

describe("processes out of sight", () => {
  testInNamespace("of other users: their private live objects are unknown", async () => {
    const name = uniqueName("private");
    const child = await foreign(NOBODY, "hold", name, "4096");
    expect(stateOf(asUser(65533), name)).toBe("unknown");
    expect(pruned(asUser(65533), name)).toBe("unknown");
    expect(existsSync(`/dev/shm${name}`)).toBe(true);
    expect(pruned(NOBODY, name)).toBe("in use");
    await ended(child);
    expect(pruned(NOBODY, name, "--dry-run")).toBe("removed");
    expect(pruned(NOBODY, name)).toBe("removed");
  });

  testInNamespace("of root: a user's own object stays that root has mapped", async () => {
    const name = uniqueName("rooted");
    const script = `umask 077; head -c 4096 /dev/zero > /dev/shm${name}`;
    Bun.spawnSync([...NOBODY, "sh", "-c", script]);
    const child = await foreign([], "join", name, "rw");
    expect(pruned(NOBODY, name)).toBe("in use");
    await ended(child);
    expect(pruned(NOBODY, name)).toBe("removed");
  });

  testInNamespace("outside of a container: only proof removes", async () => {
    const prefix = `${uniqueName("outside")}-`;
    const bare = (name: string): string => name.slice(prefix.length);
    const states = (): Record<string, string> => {
      const objects = json<ObjectUsage[]>(INSIDE, "ls", `${prefix}*`);
      const segments = objects.filter(({ type }) => type === "segment");
      return Object.fromEntries(segments.map(({ name, state }) => [bare(name), state]));
    };
    const ring = RingBuffer.create(`${prefix}ring`);
    using semaphore = Semaphore.create(`${prefix}sem`);
    Segment.create(`${prefix}read`, { size: 4096 }).close();
    Segment.create(`${prefix}free`, { size: 4096 }).close();
    const children = [
      await foreign([], "hold", `${prefix}held`, "4096"),
      await foreign([], "join", `${prefix}read`, "ro"),
    ];
    expect(states()).toEqual({ held: "unknown", read: "unknown", free: "unknown", ring: "in use" });
    ring.close();
    // Users of an object with a header hold a lock, which is seen everywhere.
    expect(states()["ring"]).toBe("orphaned");
    const { removed, kept } = json<PruneResult>(INSIDE, "prune", `${prefix}*`);
    expect(removed.map(({ name }) => bare(name)).sort()).toEqual(["free", "ring"]);
    const reasons = kept.map(({ object: { name }, reason }) => `${bare(name)}: ${reason}`);
    expect(reasons.sort()).toEqual(["held: in use", "read: in use", "sem: in use"]);
    for (const child of children) await ended(child);
    semaphore.close();
    expect(json<PruneResult>(INSIDE, "prune", `${prefix}*`).removed.length).toBe(3);
  });

  testWithC("a process whose first thread has ended still has what it mapped", async () => {
    const name = uniqueName("thread");
    const child = await foreign([], "thread", name, "4096");
    const only = (object: ObjectUsage): boolean => object.name === name;
    expect(usage().find(only)).toMatchObject({ state: "in use", users: [{ pid: child.pid }] });
    expect(prune({ only })).toMatchObject({ removed: [], kept: [{ reason: "in use" }] });
    await ended(child);
    expect(prune({ only }).removed.length).toBe(1);
  });
});

describe("an empty object", () => {
  test("is young by the clock that stamps files, and not by this process's", () => {
    const name = uniqueName("young");
    const only = (object: ObjectUsage): boolean => object.name === name;
    Bun.spawnSync(["touch", `/dev/shm${name}`]);
    const { now } = Date;
    try {
      for (const step of [86_400_000, -86_400_000]) {
        Date.now = () => now() + step;
        expect(prune({ only, dryRun: true }).kept).toMatchObject([{ reason: "too young" }]);
      }
    } finally {
      Date.now = now;
    }
    expect(Segment.unlink(name)).toBe(true);
  });

  test("is in use while its creator has it open, however old it is", async () => {
    const name = uniqueName("unsized");
    const only = (object: ObjectUsage): boolean => object.name === name;
    const { O_RDWR, O_CREAT, O_EXCL } = constants;
    const descriptor = openSync(`/dev/shm${name}`, O_RDWR | O_CREAT | O_EXCL);
    expect(prune({ only }).kept).toMatchObject([{ reason: "in use" }]);
    closeSync(descriptor);
    expect(Segment.unlink(name)).toBe(true);
  });
});

testAsAnother("looking goes on beside processes that end", async () => {
  const name = uniqueName("looked");
  using segment = Segment.create(name, { size: 64, mode: 0o644 });
  const looker = spawnBun("test/peers/looker.ts", "usage", name);
  await outputUntil(looker, "ready");
  for (let round = 0; round < 5; round++) await runBun("-e", "0");
  expect(looker.exitCode).toBeNull();
  expect(stateOf(NOBODY, name)).toBe("in use");
  await ended(looker);
  segment.unlink();
});
