/** Writers that are killed at random instants, under load. */
import { describe, expect, test } from "bun:test";
import { Segment, SharedAtomics, SharedMap, SharedRecord, codecs } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, spawnBun } from "../support/process.ts";
import { type Random, seededRandom } from "../support/random.ts";
import { Block, blockOf, checkBlock, checkMap, checkText, textOf } from "../peers/state-values.ts";

const KILLS = process.env["BUN_SHM_SOAK"] === undefined ? 30 : 500;
const WRITERS = 2;

async function start(what: string, name: string, random: Random): Promise<Child> {
  const seed = String(Math.trunc(random() * 2 ** 31));
  const child = spawnBun("test/peers/state-writer.ts", what, name, seed);
  const reader = child.stdout.getReader();
  const { value, done } = await reader.read();
  if (done || value.length === 0) throw new Error(await child.stderr.text());
  reader.releaseLock();
  return child;
}

/** Kills a writer, which must not have ended by itself: it does when it finds something torn. */
async function kill(child: Child): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
  const said = await child.stderr.text();
  expect({ signal: child.signalCode, said }).toEqual({ signal: "SIGKILL", said: "" });
}

/**
 * Keeps two writers at work, and kills one after the other; `check` runs after each death.
 *
 * @returns How many were killed; each had written before.
 */
async function killWriters(what: string, name: string, check: () => void): Promise<number> {
  let kills = 0;
  const random = seededRandom(`kill ${what}`);
  const children: Child[] = [];
  for (let count = 0; count < WRITERS; count++) children.push(await start(what, name, random));
  try {
    for (let count = 0; count < KILLS; count++) {
      const victim = children.shift()!;
      const deadline = performance.now() + random() * 8;
      while (performance.now() < deadline) check();
      await kill(victim);
      kills++;
      check();
      children.push(await start(what, name, random));
    }
  } finally {
    for (const child of children) child.kill("SIGKILL");
    for (const child of children) await child.exited;
  }
  kills += children.filter((child) => child.signalCode === "SIGKILL").length;
  expect(kills).toBe(KILLS + WRITERS);
  return kills;
}

describe(`${KILLS} kills each`, () => {
  test("record: readers see whole values, writers go on", async () => {
    const name = uniqueName("record");
    using record = SharedRecord.create(name, { codec: Block, initial: blockOf(1) });
    let last = record.version;
    let own = 0;
    const kills = await killWriters("record", name, () => {
      for (let read = 0; read < 20; read++) checkBlock(record.read()!);
      const written = record.write(blockOf(++own));
      expect((written - last) | 0).toBeGreaterThan(0);
      last = written;
    });
    checkBlock(record.read()!);
    // The initial value, this process's own writes, and at least one of each that was killed.
    expect(record.version).toBeGreaterThanOrEqual(1 + own + kills);
    Segment.unlink(name);
  }, 600_000);

  test("map: every entry is whole, and those of others are untouched", async () => {
    const name = uniqueName("map");
    using map = SharedMap.create(name, { size: 2 ** 20, codec: codecs.utf8 });
    for (let at = 0; at < 100; at++)
      expect(map.set(`mine${at}`, textOf(`mine${at}`, at))).toBe(true);
    let turn = 0;
    const kills = await killWriters("map", name, () => {
      turn++;
      for (let at = 0; at < 100; at++) expect(map.get(`mine${at}`)).toBe(textOf(`mine${at}`, at));
      for (let at = 0; at < 200; at += 7) {
        const text = map.get(`k${at}`);
        if (text !== undefined) checkText(`k${at}`, text);
      }
      map.set(`k${turn % 200}`, textOf(`k${turn % 200}`, turn % 10_000));
      if (turn % 50 === 0) expect(checkMap(map)).toBeGreaterThanOrEqual(100);
    });
    // Once more in every stripe, so that the last death is repaired as well.
    for (let at = 0; at < 200; at++) map.set(`k${at}`, textOf(`k${at}`, at));
    expect(checkMap(map)).toBe(300);
    expect(map.size).toBe(300);
    const { repaired } = map.stats();
    console.log(`map: ${kills} kills, ${repaired} repairs`);
    expect(repaired).toBeLessThanOrEqual(kills);
    for (const key of map.keys()) expect(map.delete(key)).toBe(true);
    const { freeBytes, byteLength } = map.stats();
    expect(freeBytes).toBe(byteLength);
    Segment.unlink(name);
  }, 600_000);

  test("counter: nothing that was acknowledged is lost", async () => {
    const name = uniqueName("counter");
    using atomics = SharedAtomics.create(name, { words: ["acks"], counters: ["total"] });
    const { acks } = atomics.words;
    const { total } = atomics.counters;
    let last = 0;
    const kills = await killWriters("counter", name, () => {
      const value = total.value;
      expect(value).toBeGreaterThanOrEqual(last);
      last = value;
    });
    expect(total.value).toBeGreaterThanOrEqual(kills);
    const missing = (total.value - (acks.load() >>> 0)) % 2 ** 32;
    expect(missing).toBeGreaterThanOrEqual(0);
    expect(missing).toBeLessThanOrEqual(kills);
    Segment.unlink(name);
  }, 600_000);

  test("increment: nothing that was acknowledged is lost", async () => {
    const name = uniqueName("increment");
    using map = SharedMap.create(name, { size: 2 ** 16, codec: codecs.number });
    let last = 0;
    const kills = await killWriters("increment", name, () => {
      const value = map.get("total") ?? 0;
      expect(value).toBeGreaterThanOrEqual(last);
      last = value;
    });
    expect(map.get("total")).toBeGreaterThanOrEqual(kills);
    const missing = map.get("total")! - map.get("acks")!;
    expect(missing).toBeGreaterThanOrEqual(0);
    expect(missing).toBeLessThanOrEqual(kills);
    Segment.unlink(name);
  }, 600_000);
});
