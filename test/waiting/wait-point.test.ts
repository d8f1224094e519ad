import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  BELL,
  BELL_COUNT,
  BLOCKED,
  FIRST_BELL_WORD,
  WAIT_POINT_LENGTH,
  WAKE_INCREMENT,
} from "../../src/layout/wait-point-layout.ts";
import { load, store } from "../../src/memory/atomics.ts";
import { Segment } from "../../src/segment/segment.ts";
import { memoryIn } from "../../src/waiting/wait-memory.ts";
import { WaitPoint } from "../../src/waiting/wait-point.ts";
import { firstLine } from "../support/kill.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { BUN, type Child, finished, runBun, spawnBun } from "../support/process.ts";

const PROGRAM = "test/peers/wait-point-peer.ts";
const DATA = WAIT_POINT_LENGTH / 4;

const name = uniqueName("wait");
let segment: Segment;
let words: Int32Array;
let point: WaitPoint;

beforeAll(() => {
  segment = Segment.create(name, { size: 4096 });
  words = new Int32Array(segment.buffer);
  point = new WaitPoint(segment, 0);
});
afterAll(() => {
  segment.unlink();
  segment.close();
});

const never = (): boolean => false;
const bad = (): boolean => {
  throw new Error("no");
};

describe("WaitPoint", () => {
  test("a wait that is over at once takes no flag", () => {
    store(words, 0, 0);
    expect(point.wait(() => true)).toBe(true);
    expect(point.wait(never, { timeoutMs: 0 })).toBe(false);
    expect(load(words, 0)).toBe(0);
  });

  test("a timed wait ends with false, whatever the strategy", async () => {
    for (const strategy of ["spin", "block", "adaptive"] as const) {
      expect(point.wait(never, { timeoutMs: 5, strategy })).toBe(false);
    }
    expect(await point.waitAsync(never, { timeoutMs: 5 })).toBe(false);
  });

  test("a bad timeout is refused and named", () => {
    expect(() => point.wait(never, { timeoutMs: -1 })).toThrow(
      new RangeError("Cannot wait: timeoutMs must be a number of 0 or more, not -1"),
    );
    expect(point.waitAsync(never, { timeoutMs: Number.NaN })).rejects.toThrow(RangeError);
  });

  test("waits without a descriptor for its bell, and gets a bell as soon as there is one", async () => {
    store(words, DATA, 0);
    const script = `ulimit -n 64; exec ${BUN} ${PROGRAM} ${name} starved`;
    const child = Bun.spawn(["bash", "-c", script], { stdio: ["pipe", "pipe", "pipe"] }) as Child;
    const outcome = await finished(child);
    expect(outcome).toMatchObject({ exitCode: 0, stdout: "false 0\ntrue 0\n", stderr: "" });
  });

  const testOnLinux = testNeeding("bells without a path", process.platform === "linux");
  testOnLinux(
    "callers that stay do not use up its descriptors, and it is woken all the same",
    async () => {
      store(words, DATA, 0);
      words.fill(0, FIRST_BELL_WORD, FIRST_BELL_WORD + BELL_COUNT);
      const child = spawnBun(PROGRAM, name, "ref");
      while (words.subarray(FIRST_BELL_WORD).every((id) => id === 0)) await Bun.sleep(1);
      const id = words.subarray(FIRST_BELL_WORD).find((each) => each !== 0)! >>> 0;
      const unix = `\0bun-shm-bell-${id.toString(16).padStart(8, "0")}`;
      const count = (): number => readdirSync(`/proc/${child.pid}/fd`).length;
      const before = count();
      let closed = 0;
      const socket = { data() {}, close: () => void closed++ };
      const callers: Bun.Socket[] = [];
      for (let caller = 0; caller < 300; caller++) {
        const connected = await Bun.connect({ unix, socket }).catch(() => undefined);
        if (connected === undefined) closed++;
        else callers.push(connected);
        connected?.write("x");
      }
      // All but as many as it keeps are closed.
      while (closed < 300 - 64) await Bun.sleep(1);
      expect(count() - before).toBeLessThanOrEqual(64);
      store(words, DATA, -1);
      point.wake();
      expect(await finished(child)).toMatchObject({ exitCode: 0, stdout: "woken\n", stderr: "" });
      for (const caller of callers) caller.terminate();
    },
  );

  test("a wait looks unasked also when signals end all of its sleeps", async () => {
    const outcome = await runBun(PROGRAM, name, "interrupted");
    // One look at once, one before the sleep, and one behind it.
    expect(outcome).toMatchObject({ exitCode: 0, stdout: "true 3\n", stderr: "" });
  });

  test("an aborted wait rejects with the signal's reason, before and during", async () => {
    const reason = new Error("enough");
    expect(point.waitAsync(never, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const wait = point.waitAsync(never, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 5);
    expect(wait).rejects.toBe(reason);
    await wait.catch(() => undefined);
  });

  test("what the condition throws comes to the caller", async () => {
    expect(() => point.wait(bad)).toThrow("no");
    expect(point.waitAsync(bad)).rejects.toThrow("no");
    let ringing = false;
    const wait = point.waitAsync(() => ringing && bad());
    await Bun.sleep(20);
    ringing = true;
    point.wake();
    expect(wait).rejects.toThrow("no");
    await wait.catch(() => undefined);
  });

  test("a stale flag of a killed waiter costs one wake", () => {
    store(words, 0, 3);
    point.wake();
    expect(load(words, 0)).toBe(WAKE_INCREMENT);
    point.wake();
    expect(load(words, 0)).toBe(WAKE_INCREMENT);
  });

  test("stale and hostile doorbells are cleared by the wake", () => {
    for (let word = 1; word < DATA; word++) store(words, word, 0x5eed0000 + word);
    store(words, 0, 2);
    point.wake();
    expect([...words.subarray(1, DATA)]).toEqual(Array.from({ length: DATA - 1 }, () => 0));
  });

  test("many waits in one thread are woken by one wake", async () => {
    store(words, DATA, 0);
    const waits = Array.from({ length: 50 }, () => point.waitAsync(() => load(words, DATA) === 1));
    await Bun.sleep(20);
    store(words, DATA, 1);
    point.wake();
    expect(await Promise.all(waits)).toEqual(waits.map(() => true));
  });

  for (const mode of ["block", "spin", "adaptive", "async"]) {
    test(`two processes take 500 turns, waiting by ${mode}`, async () => {
      for (let word = 0; word < words.length; word++) store(words, word, 0);
      const peers = [0, 1].map((side) => spawnBun(PROGRAM, name, mode, String(side), "500"));
      for (const { stderr, exitCode } of await Promise.all(peers.map((peer) => finished(peer)))) {
        expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
      }
      expect(load(words, DATA)).toBe(1000);
    });
  }

  const bells = (): Int32Array => words.subarray(FIRST_BELL_WORD, FIRST_BELL_WORD + BELL_COUNT);

  test("more waiters than bells are all woken by one wake", async () => {
    words.fill(0);
    const children = [20, 20].map((count) => spawnBun(PROGRAM, name, "crowd", String(count)));
    // Some threads sleep, and all bells are taken.
    while (!bells().every((id) => id !== 0) || (load(words, 0) & BLOCKED) === 0) await Bun.sleep(1);
    store(words, DATA, -1);
    point.wake();
    for (const child of children) {
      expect(await finished(child)).toMatchObject({ exitCode: 0, stdout: "20\n", stderr: "" });
    }
    expect([...bells()].filter((id) => id !== 0)).toEqual([]);
  });

  const canUnshare = process.getuid?.() === 0 && Bun.spawnSync(["unshare", "-n", "true"]).success;
  // Not so under qemu-user, where event loops that no bell reaches look now and then.
  const canMapAgain = ((): boolean => {
    using memory = Segment.create("memfd:again", { size: 4096 });
    try {
      memoryIn(memory, 0, 4).leave(false);
      return true;
    } catch {
      return false;
    }
  })();
  testNeeding("root, unshare, and memory that is mapped twice", canUnshare && canMapAgain)(
    "whoever lives in another network namespace is woken by a thread after the first time",
    async () => {
      words.fill(0);
      const path = join(import.meta.dir, "../..", PROGRAM);
      const child = Bun.spawn(["unshare", "-n", BUN, path, name, "far"], {
        stdio: ["pipe", "pipe", "pipe"],
      }) as Child;
      while ((load(words, 0) & BELL) === 0) await Bun.sleep(1);
      // It takes its bell for that of a dead thread; the waiter finds that when it looks unasked.
      point.wake();
      expect([...bells()].filter((id) => id !== 0)).toEqual([]);
      store(words, DATA, 1);
      expect(await firstLine(child)).toBe("woken once");
      for (let round = 2; round < 6; round++) {
        while ((load(words, 0) & BLOCKED) === 0) await Bun.sleep(1);
        store(words, DATA, round);
        point.wake();
      }
      expect([await child.exited, await child.stderr.text()]).toEqual([0, ""]);
      expect([...bells()].filter((id) => id !== 0)).toEqual([]);
    },
  );

  test("an unref'd wait lets the process end, a ref'd one does not", async () => {
    expect(await runBun(PROGRAM, name, "unref", "0", "0")).toMatchObject({ exitCode: 0 });
    const child = spawnBun(PROGRAM, name, "ref", "0", "0");
    await Bun.sleep(500);
    expect(child.exitCode).toBeNull();
    store(words, DATA, -1);
    point.wake();
    expect(await finished(child)).toMatchObject({ exitCode: 0, stdout: "woken\n" });
  });

  test("a waker that dies before it wakes costs a re-check and no more", async () => {
    store(words, DATA, 0);
    const wait = point.waitAsync(() => load(words, DATA) === 1);
    await Bun.sleep(20);
    store(words, DATA, 1);
    expect(await wait).toBe(true);
  });
});
