/** Writers, and those that name rows, killed at random instants, under load and watched. */
import { describe, expect, test } from "bun:test";
import { SharedAtomics, SharedTable } from "../../src/index.ts";
import { Mark, Row, checkRow, rowOf } from "../peers/state-values.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, spawnBun } from "../support/process.ts";
import { type Random, seededRandom } from "../support/random.ts";

const KILLS = process.env["BUN_SHM_SOAK"] === undefined ? 30 : 500;
const PEER = "test/peers/table-peer.ts";
const ROWS = 200;
const NAMES = 100_000;

/** Starts a peer that has done something when this returns. */
async function start(action: string, name: string, random: Random): Promise<Child> {
  const child = spawnBun(PEER, action, name, String(Math.trunc(random() * 2 ** 31)));
  await said(child);
  return child;
}

/** Waits for a line. */
async function said(child: Child): Promise<void> {
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  reader.releaseLock();
  if (done) throw new Error(await child.stderr.text());
}

/** What it says from here to its end. */
async function rest(child: Child): Promise<string> {
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  for (let text = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
}

/** Keeps some peers at work, and kills one after the other; `check` runs all the time. */
async function killPeers(
  action: string,
  name: string,
  count: number,
  check: () => void,
): Promise<number> {
  const random = seededRandom(`kill those that ${action}`);
  const children: Child[] = [];
  let kills = 0;
  const kill = async (child: Child): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
    const outcome = { signal: child.signalCode, said: await child.stderr.text() };
    // It ends by itself when it finds something wrong.
    expect(outcome).toEqual({ signal: "SIGKILL", said: "" });
    kills++;
  };
  try {
    for (let at = 0; at < count; at++) children.push(await start(action, name, random));
    for (let at = 0; at < KILLS; at++) {
      const end = performance.now() + random() * 8;
      while (performance.now() < end) check();
      await kill(children.shift()!);
      check();
      children.push(await start(action, name, random));
    }
    while (children.length > 0) await kill(children.shift()!);
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
  check();
  expect(kills).toBe(KILLS + count);
  return kills;
}

describe(`${KILLS} kills each`, () => {
  test("every row is whole, versions never go back, and watchers see the last state", async () => {
    const name = uniqueName("table");
    using table = SharedTable.create(name, { codec: Row, rows: ROWS });
    using atomics = SharedAtomics.create(`${name}-acks`, { words: ["acks"] });
    for (let row = ROWS / 2; row < ROWS; row++) table.write(row, rowOf(row, row));
    const random = seededRandom("watch");
    const watchers = [await start("watch", name, random), await start("watch", name, random)];
    const versions = Array.from({ length: ROWS }, () => 0);
    let looks = 0;
    const kills = await killPeers("write", name, 2, () => {
      looks++;
      for (let row = 0; row < ROWS; row++) {
        const version = table.version(row);
        expect(version).toBeGreaterThanOrEqual(versions[row]!);
        versions[row] = version;
        const value = table.read(row);
        if (value !== undefined) checkRow(row, value);
        if (row >= ROWS / 2) expect([version, value?.seed]).toEqual([1, row]);
      }
    });
    // What was acknowledged is there, and at most one update more for each death.
    const [count, acks] = [table.read(0)!.seed, atomics.words.acks.load()];
    expect(acks).toBeGreaterThanOrEqual(kills);
    expect(count).toBeGreaterThanOrEqual(acks);
    expect(count).toBeLessThanOrEqual(acks + kills);
    expect(table.version(0)).toBe(count);
    // The second one begins after the watchers have taken the step with the first one.
    table.write(ROWS - 1, rowOf(ROWS - 1, 1_000_001));
    for (const watcher of watchers) await said(watcher);
    table.write(ROWS - 1, rowOf(ROWS - 1, 1_000_002));
    const seeds = Array.from({ length: ROWS }, (_, row) => table.read(row)?.seed ?? 0);
    for (const watcher of watchers) {
      const [line, errors] = [await rest(watcher), await watcher.stderr.text()];
      expect([await watcher.exited, errors]).toEqual([0, ""]);
      const seen = JSON.parse(line.trim().split("\n").at(-1)!) as {
        seeds: number[];
        steps: number;
      };
      expect(seen.seeds).toEqual(seeds);
      expect(seen.steps).toBeGreaterThan(2);
    }
    const { repaired } = table.stats();
    expect(repaired).toBeLessThanOrEqual(kills);
    console.log(`table: ${kills} kills, ${repaired} repairs, ${acks} writes, ${looks} looks`);
    table.unlink();
    atomics.unlink();
  }, 600_000);

  test("four processes name rows: each name has one row, and no row is lost", async () => {
    const name = uniqueName("names");
    // So many that names are given all the time.
    using table = SharedTable.create(name, { codec: Mark, rows: NAMES, names: 8 });
    using atomics = SharedAtomics.create(`${name}-acks`, { words: ["acks"] });
    let last = 0;
    const kills = await killPeers("name", name, 4, () => {
      const { length: count } = table.names();
      expect(count).toBeGreaterThanOrEqual(last);
      last = count;
    });
    const acks = atomics.words.acks.load();
    const given = table.names();
    const lost: number[] = [];
    for (let at = 0; at < NAMES; at++) if (table.rowOf(`n${at}`) === undefined) lost.push(at);
    expect(lost).toEqual([]);
    const names = table.names();
    expect(names.slice(0, given.length)).toEqual(given);
    expect([names.length, new Set(names).size]).toEqual([NAMES, NAMES]);
    expect(names.findIndex((each, row) => table.findRow(each) !== row)).toBe(-1);
    expect(table.rowOf("another")).toBeUndefined();
    console.log(`names: ${kills} kills, ${given.length} rows named by ${acks} calls`);
    table.unlink();
    atomics.unlink();
  }, 600_000);
});
