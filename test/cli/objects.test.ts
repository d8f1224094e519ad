/** ls, stat, dump and the life of an object, as real processes against real and foreign objects. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Segment, Semaphore, type ObjectUsage } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { C_COMPILER, type Child, compileC } from "../support/process.ts";
import { eventually, outputUntil, shell, shm, shmJson, spawnShm } from "../support/shm.ts";

const directory = mkdtempSync(join(tmpdir(), "bun-shm-cli-"));
afterAll(() => rmSync(directory, { recursive: true }));

function spawnForeign(...args: string[]): Child {
  return Bun.spawn([compileC("test/peers/foreign.c"), ...args], {
    stdio: ["pipe", "pipe", "pipe"],
  });
}

async function kill(child: Child): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}

const bare = (name: string): string => name.slice(1);

describe("ls", () => {
  test("shows an object, what it takes, and who has it", async () => {
    using segment = Segment.create(uniqueName("ls"), { size: 8192, reserve: false });
    segment.bytes[0] = 1;
    const { stdout, exitCode } = await shm("ls", bare(segment.name));
    expect(exitCode).toBe(0);
    const [head, row] = stdout.split("\n");
    expect(head).toMatch(/^NAME +KIND +SIZE +USED +MODE +OWNER +AGE +STATE +PROCESSES$/);
    expect(row).toStartWith(segment.name);
    expect(row).toMatch(/ raw +8\.0K +4\.0K +rw------- +\S+ +\d+s +in use +/);
    expect(row).toContain(String(process.pid));
    const [object] = await shmJson<ObjectUsage[]>("ls", segment.name);
    expect(object).toMatchObject({ name: segment.name, size: 8192, used: 4096, state: "in use" });
    expect(object!.users).toContainEqual({
      pid: process.pid,
      command: expect.any(String),
      how: "mapped",
    });
    segment.unlink();
    expect((await shm("ls", segment.name)).exitCode).toBe(1);
  });

  test("shows what dd made, and names that would move the cursor", async () => {
    const name = `${uniqueName("dd")}\x1b[2J`;
    Bun.spawnSync(["dd", "if=/dev/zero", `of=/dev/shm${name}`, "bs=1000", "count=3"]);
    const { stdout } = await shm("ls", "--orphaned", `${name.slice(1, 22)}*`);
    expect(stdout).toContain("\\x1b[2J");
    expect(stdout).not.toContain("\x1b");
    const { exitCode } = await shm("rm", name);
    expect(exitCode).toBe(0);
  });

  test("adds System V with --sysv", async () => {
    using segment = Segment.create("sysv:private", { size: 4096 });
    const found = await shmJson<ObjectUsage[]>("ls", "--sysv");
    const object = found.find(({ name }) => name === segment.name);
    expect(object).toMatchObject({ backing: "sysv", size: 4096, state: "in use" });
    expect(object!.users.map(({ pid }) => pid)).toContain(process.pid);
    segment.unlink();
  });

  test("ends quietly when head closes the pipe", async () => {
    using segment = Segment.create(uniqueName("pipe"), { size: 64 });
    const { stdout, stderr, exitCode } = await shell(
      "set -o pipefail; for i in 1 2 3; do bun-shm ls --json; done | head -1; echo ${PIPESTATUS[0]}",
    );
    expect([stdout.split("\n"), stderr, exitCode]).toEqual([["[", "0", ""], "", 0]);
    segment.unlink();
  });

  test.skipIf(C_COMPILER === undefined)("knows a C program's objects and semaphores", async () => {
    const [name, semaphore] = [uniqueName("c"), uniqueName("csem")];
    const holder = spawnForeign("hold", name, "5000");
    const poster = spawnForeign("semaphore", semaphore, "3");
    await Promise.all([outputUntil(holder, "ready"), outputUntil(poster, "ready")]);
    const [object] = await shmJson<ObjectUsage[]>("ls", name);
    expect(object).toMatchObject({ kind: "raw", size: 5000, state: "in use" });
    expect(object!.users[0]).toMatchObject({ pid: holder.pid, how: "mapped" });
    const semaphores = await shmJson<ObjectUsage[]>("sem", "ls");
    expect(semaphores.find((one) => one.name === semaphore)).toMatchObject({ value: 3 });
    expect((await shm("rm", name)).exitCode).toBe(5);
    await Promise.all([kill(holder), kill(poster)]);
    expect((await shm("rm", name, semaphore)).stdout).toBe(
      `Removed ${name}\nRemoved ${semaphore}\n`,
    );
  });
});

describe("stat and dump", () => {
  test("tell of raw memory", async () => {
    using segment = Segment.create(uniqueName("raw"), { size: 64 });
    segment.bytes.set(new TextEncoder().encode("Hello, shared memory"), 16);
    const told = await shmJson<Record<string, unknown>>("stat", segment.name);
    expect(told).toMatchObject({ name: segment.name, kind: "raw", size: 64, state: "in use" });
    expect((await shm("stat", bare(segment.name))).stdout).toContain("raw");
    const { stdout } = await shm("dump", segment.name);
    expect(stdout.split("\n")[1]).toBe(
      "00000010  48 65 6c 6c 6f 2c 20 73  68 61 72 65 64 20 6d 65  |Hello, shared me|",
    );
    const part = await shm("dump", segment.name, "0x10", "5", "--raw");
    expect(part.stdout).toBe("Hello");
    expect(await shmJson<object>("dump", segment.name, "16", "2")).toMatchObject({ bytes: "4865" });
    const struct = await shm("dump", segment.name, "--struct");
    expect([struct.exitCode, struct.stdout]).toEqual([1, expect.stringContaining("raw memory")]);
    segment.unlink();
  });

  test.skipIf(C_COMPILER === undefined)("decode a C program's queue", async () => {
    const name = uniqueName("cq");
    await spawnForeign("queue", name).exited;
    const told = await shmJson<Record<string, unknown>>("stat", name);
    expect(told).toMatchObject({ kind: "queue", activity: { depth: 2, capacity: 10 } });
    const { stdout } = await shm("dump", name, "--struct");
    expect(stdout).toMatch(/16 +count +uint32_t +2 +Messages now queued/);
    expect((await shm("rm", name)).exitCode).toBe(0);
  });

  test("--watch shows the bytes that change", async () => {
    using segment = Segment.create(uniqueName("watch"), { size: 64 });
    const watching = spawnShm("dump", segment.name, "--watch");
    await outputUntil(watching, "|\n");
    segment.bytes[32] = 0x41;
    expect(await outputUntil(watching, "00000020  41")).toContain("|A");
    await kill(watching);
    segment.unlink();
  });

  test("watch tells of create, resize and delete", async () => {
    const name = uniqueName("watched");
    const watching = spawnShm("watch", "--json", `*${bare(name)}*`);
    // It has no word for "ready": objects are made until it tells of one.
    let lines = "";
    const reading = outputUntil(watching, '"event":"delete"').then((text) => (lines = text));
    await eventually(() => {
      using segment = Segment.create(name, { size: 64 });
      segment.resize(128);
      segment.unlink();
      return lines;
    });
    await reading;
    const events = lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string });
    expect(events.map(({ event }) => event)).toContain("create");
    expect(events.at(-1)).toMatchObject({ event: "delete", name, type: "segment" });
    watching.kill("SIGTERM");
    expect(await watching.exited).toBe(0);
  });
});

describe("an object's life", () => {
  test("create, resize, cp, restore and rm", async () => {
    const name = uniqueName("life");
    const file = join(directory, "snapshot");
    expect((await shm("create", bare(name), "4K", "--mode", "640")).exitCode).toBe(0);
    expect((await shm("create", name, "4K")).exitCode).toBe(5);
    {
      using segment = Segment.open(name);
      expect([segment.size, segment.mode]).toEqual([4096, 0o640]);
      segment.bytes.fill(7);
    }
    expect((await shm("resize", name, "8K")).stdout).toContain("4096 to 8192");
    const shrink = await shm("resize", name, "1K");
    expect([shrink.exitCode, shrink.stderr]).toEqual([2, expect.stringContaining("--force")]);
    expect((await shm("cp", name, file)).exitCode).toBe(0);
    expect(
      readFileSync(file)
        .subarray(0, 4096)
        .every((byte) => byte === 7),
    ).toBe(true);
    const piped = await shell(`bun-shm cp ${name} - | cmp - ${file} && echo same`);
    expect(piped.stdout).toBe("same\n");
    expect((await shm("restore", file, name)).exitCode).toBe(5);
    writeFileSync(file, "restored");
    expect((await shm("restore", file, name, "--force")).exitCode).toBe(0);
    {
      using segment = Segment.open(name);
      expect(new TextDecoder().decode(segment.bytes.subarray(0, 8))).toBe("restored");
      const busy = await shm("rm", name);
      expect([busy.exitCode, busy.stderr]).toEqual([5, expect.stringContaining("--force")]);
      expect((await shm("rm", name, "--force")).exitCode).toBe(0);
    }
    const missing = await shm("rm", name);
    expect([missing.exitCode, missing.stderr]).toEqual([
      3,
      expect.stringContaining("`bun-shm ls` lists what there is"),
    ]);
  });

  test("of System V and of a file", async () => {
    const key = `sysv:0x${((process.pid << 12) | 0xc11).toString(16)}`;
    const file = `file:${join(directory, "mapped")}`;
    for (const name of [key, file]) {
      expect((await shm("create", name, "4096")).stdout).toContain("4096 bytes");
      expect((await shm("dump", name, "0", "4", "--json")).stdout).toContain("00000000");
      expect((await shm("stat", name)).stdout).toContain("4096 bytes");
      expect((await shm("rm", name)).exitCode).toBe(0);
    }
    expect((await shm("resize", key, "1")).exitCode).toBe(3);
  });
});

describe("semaphores", () => {
  test("ls, get, post, wait and rm", async () => {
    const name = uniqueName("sem");
    using semaphore = Semaphore.create(name, { value: 1 });
    expect((await shm("sem", "get", bare(name))).stdout).toBe("1\n");
    expect((await shm("sem", "post", name, "--count", "2")).stdout).toBe("3\n");
    expect(semaphore.value).toBe(3);
    expect((await shm("sem", "wait", name, "--timeout", "0")).exitCode).toBe(0);
    while (semaphore.tryWait());
    expect((await shm("sem", "wait", name, "--timeout", "0.1")).exitCode).toBe(1);
    const waiting = spawnShm("sem", "wait", name);
    await Bun.sleep(100);
    semaphore.post();
    expect(await waiting.exited).toBe(0);
    expect((await shm("rm", name)).exitCode).toBe(5);
    semaphore.close();
    expect((await shm("rm", name)).exitCode).toBe(0);
    const gone = await shm("sem", "get", name);
    expect([gone.exitCode, gone.stderr]).toEqual([3, expect.stringContaining("ENOENT")]);
  });
});
