/**
 * Programs of another libc, processor or container share locks, a map, a record, a ring and a
 * queue.
 * BUN_SHM_OTHER_BUN is another Bun, such as one for musl, or for arm64 under an emulator.
 */
import { expect } from "bun:test";
import {
  MessageQueue,
  Mutex,
  RingBuffer,
  Segment,
  SharedMap,
  SharedRecord,
  codecs,
  struct,
} from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { BUN, type Child, finished } from "../support/process.ts";
import { outputUntil } from "../support/shm.ts";

const OTHER = process.env["BUN_SHM_OTHER_BUN"];
const PROGRAM = "test/peers/counting.ts";
const TIMES = 500;

const CONTAINER = ["unshare", "-pfn", "--mount-proc", "--kill-child"];
const canContain = process.getuid?.() === 0 && Bun.spawnSync([...CONTAINER, "true"]).success;

async function countTogether(commands: readonly (readonly string[])[]): Promise<void> {
  const name = uniqueName("other");
  using segment = Segment.create(`${name}-mutex`, { size: 4096 });
  using mutex = Mutex.init(segment, 0);
  using map = SharedMap.create(`${name}-map`, { size: 1 << 16, codec: codecs.number });
  using record = SharedRecord.create(`${name}-record`, { codec: struct({ n: "f64" }) });
  using ring = RingBuffer.create(`${name}-ring`, {
    kind: "mpsc",
    capacity: 1 << 14,
    codec: codecs.utf8,
  });
  using consumer = ring.consumer();
  /** How many numbers came from each process, from 0 on and in their order. */
  const received = new Map<string, number>();
  const receive = (text: string): void => {
    const [who = "", number] = text.split(" ");
    const next = received.get(who) ?? 0;
    if (Number(number) !== next) throw new Error(`${who} sent ${number} after ${next - 1}`);
    received.set(who, next + 1);
  };
  const ended = new AbortController();
  const receiving = (async () => {
    for await (const text of consumer.values({ signal: ended.signal })) receive(text);
  })().catch((error) => error);
  // libcs have semaphores of their own, so these are counted without them.
  using queue = MessageQueue.create(`${name}-queue`, { synchronization: "polling" });
  queue.enqueue("goes round");
  const start = (command: readonly string[], times: number): Child =>
    Bun.spawn([...command, PROGRAM, name, String(times)], { stdio: ["pipe", "pipe", "pipe"] });
  // Of each kind one counts to its end, and one more is killed in the middle.
  const victims = commands.map((command) => start(command, 1e9));
  for (const victim of victims) await outputUntil(victim, "ready");
  const counters = commands.map((command) => start(command, TIMES));
  for (const victim of victims) {
    victim.kill("SIGKILL");
    await victim.exited;
  }
  for (const counter of counters) {
    const { exitCode, stderr } = await finished(counter, 200_000);
    expect([exitCode, stderr]).toEqual([0, ""]);
  }
  ended.abort();
  expect(await receiving).toBe(ended.signal.reason);
  for (let text = consumer.tryTake(); text !== undefined; text = consumer.tryTake()) receive(text);
  const whole = [...received.values()].filter((sent) => sent === TIMES);
  expect(whole.length).toBeGreaterThanOrEqual(commands.length);
  expect(received.size).toBe(2 * commands.length);
  const [count] = new Int32Array(segment.buffer, Mutex.byteLength(), 1);
  const least = TIMES * commands.length;
  expect(mutex.lock({ timeoutMs: 30_000 })).toBe(true);
  mutex.unlock();
  // The killed ones added more, to each of the three nearly as often.
  expect(count!).toBeGreaterThanOrEqual(least);
  for (const other of [map.get("count") ?? 0, record.read()?.n ?? 0]) {
    expect(other).toBeGreaterThanOrEqual(least);
    expect(Math.abs(other - count!)).toBeLessThanOrEqual(commands.length);
  }
  expect(queue.tryEnqueue("still works")).toBe(true);
  for (const made of [segment, map, record, ring, queue]) made.unlink();
}

testNeeding("another Bun", OTHER !== undefined)("another Bun shares all of it", async () => {
  await countTogether([[BUN], [OTHER!]]);
});

testNeeding("root, and unshare", canContain)("containers share all of it", async () => {
  await countTogether([[BUN], [...CONTAINER, BUN], [...CONTAINER, BUN]]);
});
