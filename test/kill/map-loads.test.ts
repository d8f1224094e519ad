/** Loaders of a map's values that are killed while others wait for them. */
import { expect, test } from "bun:test";
import { SharedAtomics, SharedMap, codecs } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, WATCHDOG_MS, spawnBun } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";

const KILLS = process.env["BUN_SHM_SOAK"] === undefined ? 30 : 1000;
const WORKERS = 4;
const KEYS_PER_KILL = 32;

test(`each cold key is loaded once, and once more for each of ${KILLS} killed loaders`, async () => {
  const [name, counts] = [uniqueName("loads"), uniqueName("counts")];
  const keys = Array.from({ length: KILLS * KEYS_PER_KILL }, (_, at) => `k${at}`);
  const codec = codecs.json<{ text: string }>();
  using map = SharedMap.create(name, { size: 2 ** 20, codec });
  using atomics = SharedAtomics.create(counts, { words: keys });
  const random = seededRandom("killed loaders");
  const ended = new Set<Child>();
  /** Starts a worker, and waits until it is at work, so that the kills meet such. */
  const start = async (): Promise<Child> => {
    const child = spawnBun("test/peers/map-loader.ts", name, counts, String(keys.length), "20");
    void child.exited.then(() => ended.add(child));
    const reader = child.stdout.getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("ready\n");
    reader.releaseLock();
    return child;
  };
  const workers = await Promise.all(Array.from({ length: WORKERS }, start));
  let kills = 0;
  const deadline = performance.now() + 4 * KILLS * 200 + WATCHDOG_MS;
  try {
    while (map.size < keys.length) {
      if (performance.now() > deadline) throw new Error(`Only ${map.size} keys are loaded`);
      await Bun.sleep(random() * 60);
      if (kills === KILLS) continue;
      const victim = workers.shift()!;
      if (ended.has(victim)) expect(victim.exitCode).toBe(0);
      else {
        victim.kill("SIGKILL");
        kills++;
      }
      workers.push(await start());
    }
    for (const child of workers) {
      expect([await child.exited, await child.stderr.text()]).toEqual([0, ""]);
    }
  } finally {
    for (const child of workers) child.kill("SIGKILL");
  }
  const loads = keys.map((key) => atomics.words[key]!.load());
  const total = loads.reduce((sum, each) => sum + each, 0);
  console.log(`map loads: ${keys.length} keys, ${kills} kills, ${total} loads`);
  expect(kills).toBe(KILLS);
  expect(Math.min(...loads)).toBe(1);
  // Some were killed while they loaded, or this has shown nothing.
  expect(total).toBeGreaterThan(keys.length);
  expect(total).toBeLessThanOrEqual(keys.length + kills);
  for (const key of keys) expect(map.get(key)).toEqual({ text: `value of ${key}` });
  // Nothing of the killed loaders is left, once somebody has looked.
  map.clear();
  const { freeBytes, byteLength } = map.stats();
  expect(freeBytes).toBe(byteLength);
  map.unlink();
  atomics.unlink();
}, 3_600_000);
