/**
 * Processes and Workers at a few names, of which each is killed: what the names guard is changed by
 * one at a time, and every name is free afterwards.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { NamedLocks, Segment, openObject } from "../../src/index.ts";
import { SOAK, firstLine, killSome } from "../support/kill.ts";
import { GUARDED_LENGTH, LOCK_NAMES, changesIn } from "../support/named-lock-turns.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { spawnBun } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";

const PEER = "test/peers/named-lock-peer.ts";
const WORKERS = SOAK ? 1000 : 12;

/** Runs a campaign, and judges what it left. */
async function judge(
  what: string,
  campaign: (name: string, guarded: string) => Promise<number>,
): Promise<void> {
  const guarded = uniqueName("guarded");
  using segment = Segment.create(guarded, { size: GUARDED_LENGTH });
  using locks = NamedLocks.create(uniqueName("locks"), { names: LOCK_NAMES, requests: 64 });
  try {
    const kills = await campaign(locks.name, guarded);
    for (let name = 0; name < LOCK_NAMES; name++) {
      expect(await locks.request(`n${name}`, (lock) => lock.name)).toBe(`n${name}`);
    }
    expect(await locks.query()).toEqual({ held: [], pending: [] });
    let [counted, completed] = [0, 0];
    for (const { count, done } of changesIn(new Int32Array(segment.buffer))) {
      expect(count).toBeGreaterThanOrEqual(done);
      counted += count;
      completed += done;
    }
    expect(counted - completed).toBeLessThanOrEqual(kills);
    expect(completed).toBeGreaterThan(kills);
    using object = openObject(locks.name);
    const { in: grants, repaired = 0 } = object.activity();
    console.log(
      `${what}: ${kills} kills, ${grants} grants, ${completed} changes, ` +
        `${counted - completed} not acknowledged, ${repaired} requests of the dead`,
    );
    expect(repaired).toBeGreaterThan(0);
  } finally {
    segment.unlink();
    locks.unlink();
  }
}

test("killed processes leave their names to the others", async () => {
  await judge("processes", (name, guarded) => {
    let number = 0;
    return killSome(() => spawnBun(PEER, name, guarded, String(++number)), {
      random: seededRandom("named locks"),
      children: 4,
      kills: 32,
      soakKills: 2000,
    });
  });
});

test("a holder in another process learns of a theft, and is seen until then", async () => {
  using locks = NamedLocks.create(uniqueName("locks"), { names: 4 });
  using object = openObject(locks.name);
  const victim = spawnBun("test/peers/named-lock-victim.ts", locks.name);
  expect(await firstLine(victim)).toBe("held");
  expect(object.holders()).toMatchObject([{ role: 'name "a"', pid: victim.pid, state: "running" }]);
  const holder = await locks.request("a", { steal: true }, () => object.holders());
  expect(holder).toMatchObject([{ role: 'name "a"', pid: process.pid }]);
  // It ends with this when its call was rejected with an AbortError.
  expect(await victim.exited).toBe(7);
  expect(object.holders()).toEqual([]);
  locks.unlink();
});

const testOnLinux = testNeeding("threads that the kernel numbers", process.platform === "linux");

testOnLinux("terminated Workers leave their names to the others", async () => {
  await judge("Workers", async (name, guarded) => {
    const random = seededRandom("named locks of Workers");
    let number = 0;
    const chain = async (): Promise<void> => {
      while (number < WORKERS) {
        const workerData = [name, guarded, String(++number)];
        const worker = new Worker(join(import.meta.dir, "../..", PEER), { workerData });
        await new Promise((resolve, reject) => {
          worker.once("message", resolve);
          worker.once("error", reject);
        });
        await Bun.sleep(random() * 15);
        await worker.terminate();
      }
    };
    await Promise.all([chain(), chain(), chain()]);
    return number;
  });
});
