/** Who holds a lock or a role: seen with one call, also when the holder is stopped or dead. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  Lease,
  MessageQueue,
  Mutex,
  type ObjectUsage,
  RwLock,
  Segment,
  openObject,
  prune,
  usage,
} from "../../src/index.ts";
import { NUMBER_SHIFT } from "../../src/layout/lock-layout.ts";
import { isStopped } from "../../src/memory/processes.ts";
import { uniqueName } from "../support/names.ts";
import { BOOK_LOCK_WORD, QUEUE_BOOK_LENGTH } from "../../src/layout/message-queue-layout.ts";
import { testNeeding } from "../support/needs.ts";
import { type Child, spawnBun } from "../support/process.ts";
import { eventually, outputUntil, shm, shmJson } from "../support/shm.ts";

const prefix = uniqueName("held");
const bare = (name: string): string => name.slice(prefix.length + 1);

/** The holders of each of the peer's objects, as "role pid state". */
function seen(): Record<string, string[]> {
  const mine = usage().filter(({ name, type }) => type === "segment" && name.startsWith(prefix));
  return Object.fromEntries(mine.map((object) => [bare(object.name), heldIn(object)]));
}

function heldIn({ holders }: Pick<ObjectUsage, "holders">): string[] {
  return holders.map(({ role, pid, state }) => `${role.replace(/ \d+$/, " N")} ${pid} ${state}`);
}

describe("who holds what", () => {
  let peer: Child;
  beforeAll(async () => {
    peer = spawnBun("test/peers/holder.ts", prefix);
    await outputUntil(peer, "ready");
  });
  afterAll(async () => {
    peer.kill("SIGKILL");
    await peer.exited;
    prune({ only: ({ name }) => name.startsWith(prefix) });
  });

  const expected = (state: string): Record<string, string[]> => ({
    barrier: [`seat N ${peer.pid} ${state}`],
    lease: [`holder ${peer.pid} ${state}`],
    locks: [`name "a" ${peer.pid} ${state}`],
    map: [`stripe N ${peer.pid} ${state}`],
    mutex: [`lock ${peer.pid} ${state}`],
    queue: [`participant N ${peer.pid} ${state}`, `creator ${peer.pid} ${state}`],
    raw: [`lock at N ${peer.pid} ${state}`, `byte N ${peer.pid} ${state}`],
    reading: [`reader N ${peer.pid} ${state}`],
    ring: [`producer ${peer.pid} ${state}`, `consumer ${peer.pid} ${state}`],
    writing: [`writer ${peer.pid} ${state}`],
  });

  test("usage names the process of every lock and role", () => {
    expect(seen()).toEqual(expected("running"));
  });

  test("openObject and stat say the same, with the command and the time", async () => {
    using object = openObject(`${prefix}-lease`);
    const [holder] = object.holders();
    expect(holder?.command).toContain("holder.ts");
    expect(holder?.since!.getTime()).toBeLessThanOrEqual(Date.now());
    const { stdout } = await shm("stat", `${prefix}-raw`);
    expect(stdout).toMatch(new RegExp(`^held +lock at 1024: ${peer.pid} `, "m"));
    expect(stdout).toMatch(new RegExp(`^held +byte 77: ${peer.pid} `, "m"));
    const rows = await shmJson<{ name: string; holders: { role: string }[] }[]>("top", "--once");
    const row = rows.find(({ name }) => name === `${prefix}-mutex`);
    expect(row?.holders).toMatchObject([{ role: "lock", pid: peer.pid }]);
  });

  test("a System V segment's locks are found too", () => {
    using segment = Segment.create("sysv:private", { size: 4096 });
    using lock = segment.tryLock(5);
    expect(lock?.held).toBe(true);
    using object = openObject(segment.name);
    expect(object.holders()).toMatchObject([
      { role: "byte 5", pid: process.pid, state: "running" },
    ]);
    segment.unlink();
  });

  test("who is stopped is named, by ls too", async () => {
    peer.kill("SIGSTOP");
    try {
      await eventually(() => isStopped(peer.pid));
      expect(seen()).toEqual(expected("stopped"));
      const { stdout } = await shm("ls", `${prefix}-mutex`);
      expect(stdout).toMatch(new RegExp(`${peer.pid} \\S+ holder.ts \\(lock, stopped\\)`));
    } finally {
      peer.kill("SIGCONT");
    }
  });

  test("a holder that died is told from none, until the lock is mended", async () => {
    peer.kill("SIGKILL");
    await peer.exited;
    expect(seen()).toEqual({
      barrier: ["seat N undefined dead"],
      lease: [],
      locks: [],
      map: ["stripe N undefined dead"],
      mutex: ["lock undefined dead"],
      queue: [],
      raw: ["lock at N undefined dead"],
      reading: ["reader N undefined dead"],
      ring: [],
      writing: ["writer undefined dead"],
    });
    using mutex = Mutex.open(`${prefix}-mutex`, { onOwnerDied: () => undefined });
    mutex.lock();
    mutex.unlock();
    expect(seen()["mutex"]).toEqual([]);
  });

  test("what is free has no holder", () => {
    const [mutexName, lockName, leaseName] = ["m", "rw", "l"].map(uniqueName) as [
      string,
      string,
      string,
    ];
    using mutex = Mutex.create(mutexName);
    using lock = RwLock.create(lockName);
    using lease = Lease.create(leaseName);
    mutex.lock();
    mutex.unlock();
    for (const { name, unlink } of [mutex, lock, lease].map((each) => ({
      name: each.name,
      unlink: () => each.unlink(),
    }))) {
      using object = openObject(name);
      expect(object.holders()).toEqual([]);
      unlink();
    }
  });
});

test("a queue's lock has the handle that its word names, or a dead one", () => {
  using queue = MessageQueue.create(uniqueName("queue"));
  const { size, buffer } = queue.segment;
  const words = new Int32Array(buffer, size - QUEUE_BOOK_LENGTH, QUEUE_BOOK_LENGTH / 4);
  using object = openObject(queue.name);
  const holderOfLock = (): unknown => object.holders().find(({ role }) => role === "lock");
  expect(holderOfLock()).toBeUndefined();
  words[BOOK_LOCK_WORD] = queue.segment.participant.number << NUMBER_SHIFT;
  expect(holderOfLock()).toMatchObject({ pid: process.pid, state: "running" });
  words[BOOK_LOCK_WORD] = 9 << NUMBER_SHIFT;
  expect(holderOfLock()).toMatchObject({ pid: undefined, state: "dead" });
  words[BOOK_LOCK_WORD] = 0;
  queue.unlink();
});

const inside = ["unshare", "-pf", "--mount-proc"];
const canNest = process.getuid?.() === 0 && Bun.spawnSync([...inside, "true"]).exitCode === 0;

testNeeding("root, and unshare", canNest)(
  "a holder in a container is found, whoever else has its process id in another one",
  async () => {
    const name = uniqueName("nested");
    using mutex = Mutex.create(name);
    const start = async (script: string): Promise<Child> => {
      const code = `import { Mutex } from "./src/index.ts"; const m = Mutex.open("${name}");
        ${script}; console.log("ready"); setInterval(() => m.name, 1000);`;
      const child = Bun.spawn([...inside, "--kill-child", process.execPath, "-e", code], {
        stdio: ["pipe", "pipe", "pipe"],
      }) as Child;
      await outputUntil(child, "ready");
      return child;
    };
    const locker = await start("m.lock()");
    using object = openObject(name);
    const [holder] = object.holders();
    expect(holder).toMatchObject({ role: "lock", state: "running" });
    expect(readFileSync(`/proc/${holder!.pid}/status`, "latin1")).toMatch(/^NSpid:\s+\d+\s+1$/m);
    // Its first thread has the same number, 1, in a namespace of its own.
    const other = await start("m.name");
    expect(object.holders()).toEqual([holder!]);
    for (const child of [other, locker]) {
      child.kill("SIGKILL");
      await child.exited;
    }
    mutex.unlink();
  },
);
