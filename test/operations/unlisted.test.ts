/** Memory that is in no object with a name, and what bounds and explains the room. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import {
  RingBuffer,
  Segment,
  SharedAtomics,
  metrics,
  openObject,
  prometheusText,
  unlisted,
} from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding, testWithMounts } from "../support/needs.ts";
import { MAIN, outputUntil, shell, shm, shmJson } from "../support/shm.ts";
import { spawnBun } from "../support/process.ts";

describe("unlisted", () => {
  test("names removed objects and the processes that keep them", async () => {
    const name = uniqueName("kept");
    using segment = Segment.create(name, { size: 2 ** 21 });
    const peer = spawnBun("test/peers/segment-peer.ts", "hold", name);
    await outputUntil(peer, "\n");
    segment.unlink();
    const [found] = unlisted().filter((each) => each.name === name);
    expect(found).toMatchObject({ kind: "removed", used: 2 ** 21 });
    expect(found?.users.map(({ pid }) => pid).sort()).toEqual([process.pid, peer.pid].sort());
    const { stdout } = await shm("ls");
    expect(stdout).toMatch(new RegExp(`2.0M +${name} \\(removed, kept by .*\\b${peer.pid}\\b`));
    const { unlisted: hidden } = await shmJson<{ unlisted: { name: string }[] }>("df");
    expect(hidden.some((each) => each.name === name)).toBe(true);
    peer.kill("SIGKILL");
    await peer.exited;
    segment.close();
    expect(unlisted().some((each) => each.name === name)).toBe(false);
  });

  test("adds up directories, each file once", () => {
    const name = uniqueName("directory");
    mkdirSync(`/dev/shm${name}/deep`, { recursive: true });
    try {
      writeFileSync(`/dev/shm${name}/deep/file`, new Uint8Array(2 ** 20));
      Bun.spawnSync(["ln", `/dev/shm${name}/deep/file`, `/dev/shm${name}/same`]);
      Bun.spawnSync(["ln", "-s", `/dev/shm${name}`, `/dev/shm${name}/loop`]);
      const found = unlisted().find((each) => each.name === name);
      expect(found).toEqual({ kind: "directory", name, used: 2 ** 20, users: [] });
      const family = metrics().find((each) => each.name === "bun_shm_filesystem_unlisted_bytes");
      const sample = family?.samples.find(({ labels }) => labels["kind"] === "directory");
      expect(sample?.value).toBeGreaterThanOrEqual(2 ** 20);
    } finally {
      rmSync(`/dev/shm${name}`, { recursive: true });
    }
  });

  testWithMounts("doctor offers prune only where it helps", async () => {
    const inside = (fill: string): ReturnType<typeof shell> =>
      shell(`unshare -m bash -c 'mount -t tmpfs -o size=100m,mode=1777 tmpfs /dev/shm && ${fill} &&
        "${process.execPath}" ${MAIN} doctor'`);
    const left = await inside("fallocate -l 95M /dev/shm/left");
    expect(left.stdout).toMatch(/size +.* nearly full.*\n.*bun-shm prune/);
    const other = await inside("mkdir /dev/shm/d && fallocate -l 95M /dev/shm/d/f");
    expect(other.stdout).toMatch(/size +.* nearly full.*\n(?!.*bun-shm prune).*directories/);
    expect(other.stdout).toMatch(/directories +.*\/dev\/shm\/d \(95 MiB\)/);
  });

  testWithMounts("doctor knows logind's RemoveIPC, and who is spared", async () => {
    const command = `setpriv --reuid=12345 --regid=12345 --clear-groups env HOME=/tmp`;
    const doctor = (prepare: string): ReturnType<typeof shell> =>
      shell(`unshare -m bash -c 'for d in /run /etc/systemd /var/lib/systemd; do mkdir -p $d &&
        mount -t tmpfs -o mode=755 tmpfs $d; done; mkdir -p /run/systemd/users && ${prepare} &&
        exec ${command} "${process.execPath}" ${MAIN} doctor'`);
    expect((await doctor("true")).stdout).toMatch(/note +sessions .*RemoveIPC[^]*enable-linger/);
    const no = "echo RemoveIPC=no > /etc/systemd/logind.conf";
    expect((await doctor(no)).stdout).toMatch(/ok +sessions .*RemoveIPC=no/);
    const again = `mkdir /etc/systemd/logind.conf.d && echo RemoveIPC=yes > \
      /etc/systemd/logind.conf.d/10-ipc.conf`;
    expect((await doctor(`${no} && ${again}`)).stdout).toMatch(/note +sessions/);
    const linger = "mkdir /var/lib/systemd/linger && touch /var/lib/systemd/linger/12345";
    expect((await doctor(linger)).stdout).toMatch(/ok +sessions .*linger/);
    expect((await doctor("rmdir /run/systemd/users")).stdout).not.toContain("sessions");
  });
});

const GROUPS = "/sys/fs/cgroup/memory";
const GROUP = `${GROUPS}/bun-shm-test-${process.pid}`;
const canGroup = ((): boolean => {
  try {
    mkdirSync(GROUP);
    Bun.spawnSync(["rmdir", GROUP]);
    return true;
  } catch {
    return false;
  }
})();

testNeeding("root, and version 1 of control groups", canGroup)(
  "the tightest limit of the groups around counts",
  async () => {
    const groups = [GROUP, `${GROUP}/inner`, `${GROUP}/inner/most`];
    for (const group of groups) mkdirSync(group);
    try {
      const limits = [400, 200, 300].map((mib) => mib * 2 ** 20);
      groups.forEach((group, at) => {
        writeFileSync(`${group}/memory.limit_in_bytes`, String(limits[at]));
      });
      const seen: unknown[] = [];
      for (const group of groups) {
        const { stdout } = await shell(`echo $$ > ${group}/cgroup.procs; bun-shm df --json`);
        seen.push((JSON.parse(stdout) as { limits: { memory: unknown } }).limits.memory);
      }
      expect(seen).toEqual([limits[0], limits[1], limits[1]]);
    } finally {
      Bun.spawnSync(["rmdir", ...groups.toReversed()]);
    }
  },
);

describe("values and counts", () => {
  test("of atomics are named by openObject, stat, get, keys and metrics", async () => {
    const name = uniqueName("atomics");
    using atomics = SharedAtomics.create(name, { words: ["level"], counters: ["sent"] });
    atomics.words.level.store(-7);
    for (let at = 0; at < 300; at++) atomics.counters.sent.add(2 ** 24);
    using object = openObject(name);
    const values = object.values();
    expect(values).toEqual([
      { name: "level", kind: "word", value: -7 },
      { name: "sent", kind: "counter", value: 300 * 2 ** 24 },
    ]);
    expect((await shm("get", name, "sent")).stdout).toBe(`${300 * 2 ** 24}\n`);
    expect((await shm("get", name, "none")).exitCode).toBe(1);
    expect((await shm("keys", name, "--values")).stdout).toContain("level\t-7");
    expect((await shm("stat", name)).stdout).toMatch(/^value +level = -7$/m);
    expect(prometheusText()).toContain(`bun_shm_atomic_value{name="${name}",key="level"} -7`);
    atomics.unlink();
  });

  test("that a structure does not count are absent, and not 0", async () => {
    const name = uniqueName("broadcast");
    using ring = RingBuffer.create(name, { kind: "broadcast" });
    using producer = ring.producer();
    producer.write("one");
    const rows = await shmJson<Record<string, unknown>[]>("top", "--once", "--interval", "0.1");
    const row = rows.find((each) => each["name"] === name)!;
    expect(Object.keys(row)).toContain("inRate");
    expect(Object.keys(row)).not.toContain("outRate");
    using object = openObject(name);
    expect(object.activity()).not.toHaveProperty("out");
    ring.unlink();
  });
});
