/** prune: exactly what no live process has. */
import { describe, expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { Segment, Semaphore, prune, usage } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { testWithC } from "../support/needs.ts";
import { type Child, compileC, spawnBun } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";
import { outputUntil, shm } from "../support/shm.ts";

const PEER = "test/peers/backing-peer.ts";
const there = (prefix: string): string[] =>
  readdirSync("/dev/shm")
    .filter((file) => file.startsWith(prefix.slice(1)))
    .sort();

/** Whether a process has ended, and its parent has not asked how. */
const isZombie = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.startsWith("Z");

describe("prune", () => {
  testWithC(
    "beside 200 processes, of which some are killed, removes exactly the dead ones'",
    async () => {
      const random = seededRandom("prune");
      const prefix = uniqueName("many");
      const parent = Bun.spawn([compileC("test/peers/foreign.c"), "many", prefix, "200"], {
        stdio: ["pipe", "pipe", "pipe"],
      }) as Child;
      const lines = (await outputUntil(parent, "ready")).split("\n").slice(0, 200);
      const holders = lines.map((line) => line.split(" ").map(Number) as [number, number]);
      expect(there(prefix).length).toBe(200);
      const dead = holders.filter(() => random() < 0.5);
      for (const [, pid] of dead) process.kill(pid, "SIGKILL");
      // They are zombies until their parent ends: then the kernel has let go of their memory.
      for (const [, pid] of dead) while (!isZombie(pid)) await Bun.sleep(1);
      const dry = await shm("prune", `${prefix}*`, "--dry-run");
      expect(dry.stdout).toContain(`${dead.length} would be removed`);
      expect(there(prefix).length).toBe(200);
      const { stdout, exitCode } = await shm("prune", `${prefix}*`);
      expect(exitCode).toBe(0);
      expect(stdout).toContain(`${dead.length} removed`);
      expect(stdout).toContain(`${200 - dead.length} kept`);
      const living = holders.filter((holder) => !dead.includes(holder));
      expect(there(prefix)).toEqual(living.map(([at]) => `${prefix.slice(1)}-${at}`).sort());
      parent.kill("SIGKILL");
      await parent.exited;
      for (const [at] of living) Segment.unlink(`${prefix}-${at}`);
    },
  );

  test("keeps what this package's handles hold, by their lock alone", async () => {
    const name = uniqueName("held");
    const semaphoreName = uniqueName("heldsem");
    const segment = Segment.create(name, { size: 64 });
    const peer = spawnBun(PEER, "lock", name, "0");
    await outputUntil(peer, "\n");
    segment.close();
    using semaphore = Semaphore.create(semaphoreName);
    const mine = ({ name: found }: { name: string }): boolean =>
      found === name || found === semaphoreName;
    expect(prune({ only: mine })).toMatchObject({ removed: [], failed: [] });
    peer.kill("SIGKILL");
    await peer.exited;
    expect(prune({ only: mine, dryRun: true }).removed.map((object) => object.name)).toEqual([
      name,
    ]);
    expect(Segment.exists(name)).toBe(true);
    semaphore.close();
    const { removed } = prune({ only: mine });
    expect(removed.map((object) => object.name).sort()).toEqual([name, semaphoreName].sort());
    expect(Segment.exists(name)).toBe(false);
  });

  test("removes what is in use only with force", () => {
    using segment = Segment.create(uniqueName("forced"), { size: 64 });
    const only = ({ name }: { name: string }): boolean => name === segment.name;
    expect(prune({ only }).kept).toMatchObject([{ reason: "in use" }]);
    expect(prune({ only, force: true }).removed).toMatchObject([{ name: segment.name }]);
    expect(segment.unlink()).toBe(false);
  });

  test("leaves an empty object alone that somebody may be about to size", () => {
    const name = uniqueName("young");
    Bun.spawnSync(["touch", `/dev/shm${name}`]);
    const only = (object: { name: string }): boolean => object.name === name;
    expect(prune({ only }).kept).toMatchObject([{ reason: "too young" }]);
    expect(Segment.unlink(name)).toBe(true);
  });

  test("takes System V segments with sysv", () => {
    const segment = Segment.create("sysv:private", { size: 64 });
    const { name } = segment;
    const only = (object: { name: string }): boolean => object.name === name;
    expect(prune({ only, sysv: true }).kept).toMatchObject([{ reason: "in use" }]);
    using lock = segment.tryLock(1);
    expect(lock?.held).toBe(true);
    segment.close();
    lock?.close();
    expect(prune({ only, sysv: true }).removed).toMatchObject([{ name }]);
    expect(Segment.exists(name)).toBe(false);
    expect(usage().filter((one) => one.name.endsWith(`locks.${name.slice(6)}`))).toEqual([]);
  });

  test.each(["inUse", "exists", "usage"])("is not disturbed by who looks: %s", async (look) => {
    const name = uniqueName("looked");
    const only = (object: { name: string }): boolean => object.name === name;
    Segment.create(name, { size: 64 }).close();
    const looker = spawnBun("test/peers/looker.ts", look, name);
    await outputUntil(looker, "ready");
    for (let round = 0; round < 200; round++) {
      expect(Segment.inUse(name)).toBe(false);
      Segment.openOrCreate(name, { size: 64, truncate: true }).close();
    }
    for (let round = 0; round < 50; round++) {
      expect(prune({ only, dryRun: true }).removed.length).toBe(1);
      expect(prune({ only })).toMatchObject({ removed: [{ name }], kept: [], failed: [] });
      Segment.create(name, { size: 64 }).close();
    }
    Segment.unlink(name);
    for (let round = 0; round < 20; round++) {
      Semaphore.create(name, { value: 1 }).close();
      expect(prune({ only })).toMatchObject({ removed: [{ name }], kept: [], failed: [] });
    }
    looker.kill("SIGKILL");
    await looker.exited;
  });

  test("counts a descriptor that only reads as a use, unless it is a look", async () => {
    const name = uniqueName("open");
    Segment.create(name, { size: 64 }).close();
    const only = (object: { name: string }): boolean => object.name === name;
    const reader = Bun.spawn(["sh", "-c", `exec 3</dev/shm${name}; echo ready; read x`], {
      stdio: ["pipe", "pipe", "pipe"],
    }) as Child;
    await outputUntil(reader, "ready");
    expect(prune({ only }).kept).toMatchObject([{ reason: "in use" }]);
    reader.kill("SIGKILL");
    await reader.exited;
    expect(prune({ only }).removed).toMatchObject([{ name }]);
  });

  test("goes on while objects come and go", async () => {
    const prefix = uniqueName("flicker");
    const churn = spawnBun("test/peers/churn.ts", prefix);
    await outputUntil(churn, "ready");
    const only = ({ name }: { name: string }): boolean => name.startsWith(prefix);
    for (let round = 0; round < 20; round++) {
      const { failed } = prune({ only });
      expect(failed).toEqual([]);
      usage({ sysv: true });
    }
    churn.stdin.end();
    expect(await outputUntil(churn, "lost")).toEndWith("lost 0\n");
    expect(await churn.exited).toBe(0);
    expect(there(prefix)).toEqual([]);
  });
});
