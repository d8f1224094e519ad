/** What /proc says of processes. */
import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { Segment } from "../../src/index.ts";
import {
  findMappers,
  isAlive,
  isStopped,
  mappedObject,
  objectKey,
  sysvKey,
} from "../../src/memory/processes.ts";
import { findUsers } from "../../src/memory/user-table.ts";
import { uniqueName } from "../support/names.ts";
import { spawnBun } from "../support/process.ts";

const PEER = "test/peers/segment-peer.ts";

async function ready(child: ReturnType<typeof spawnBun>): Promise<void> {
  const reader = child.stdout.getReader();
  await reader.read();
  reader.releaseLock();
}

describe("who has an object", () => {
  test("stat and the maps of this process give it one key", () => {
    for (const name of [uniqueName("key"), "memfd:key"]) {
      using segment = Segment.create(name, { size: 8192 });
      const { dev, ino } = statSync(segment.path!);
      expect(mappedObject(segment.mapping.address)).toBe(objectKey(dev, ino));
      expect(mappedObject(segment.mapping.address + 4096)).toBe(objectKey(dev, ino));
      segment.unlink();
    }
    expect(mappedObject(0)).toBeUndefined();
    // Numbers of more than eight bits, as the kernel packs them.
    expect(objectKey(0x1a, 7)).toBe("00:1a 7");
    expect(objectKey(0x8_01, 12)).toBe("08:01 12");
    expect(objectKey(0x103_02, 9)).toBe("103:02 9");
    expect(objectKey(0x100 * 0x1000 + 0x05 + 0x300, 9)).toBe("03:105 9");
  });

  test("its mappers and users are found while they live", async () => {
    const name = uniqueName("mapped");
    using segment = Segment.create(name, { size: 4096 });
    const key = mappedObject(segment.mapping.address)!;
    const child = spawnBun(PEER, "hold", name);
    await ready(child);
    expect([...findMappers(key)!.known].sort()).toEqual([process.pid, child.pid].sort());
    const users = findUsers(statSync("/dev/shm").dev).users.get(key)!;
    expect(users.find(({ pid }) => pid === child.pid)).toMatchObject({ how: "mapped" });
    expect(users.find(({ pid }) => pid === child.pid)!.command).toContain(name);
    child.kill("SIGKILL");
    await child.exited;
    expect([...findMappers(key)!.known]).toEqual([process.pid]);
    segment.unlink();
  });

  test("a System V segment is found by its id", () => {
    using segment = Segment.create("sysv:private", { size: 4096 });
    const id = Number(segment.name.slice("sysv:#".length));
    const users = findUsers(0).users.get(sysvKey(id))!;
    expect(users.map(({ pid, how }) => [pid, how])).toEqual([[process.pid, "mapped"]]);
    segment.unlink();
  });
});

test("who lives, and who is stopped", async () => {
  const name = uniqueName("stopped");
  using segment = Segment.create(name, { size: 64 });
  const child = spawnBun(PEER, "hold", name);
  await ready(child);
  expect([isAlive(child.pid), isStopped(child.pid)]).toEqual([true, false]);
  child.kill("SIGSTOP");
  while (!isStopped(child.pid)) await Bun.sleep(1);
  expect(isAlive(child.pid)).toBe(true);
  child.kill("SIGKILL");
  await child.exited;
  expect([isAlive(child.pid), isStopped(child.pid), isAlive(0)]).toEqual([false, false, false]);
  expect(segment.unlink()).toBe(true);
});
