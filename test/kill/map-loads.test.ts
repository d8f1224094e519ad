/** Loaders of a map's values that are killed while others wait for them. */
import { expect, test } from "bun:test";
import { SharedMap, codecs } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, spawnBun } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";

const KILLS = process.env["BUN_SHM_SOAK"] === undefined ? 30 : 1000;
const WORKERS = 4;
const SIZE = 2 ** 26;

test(`each cold key is loaded once, and once more for each of ${KILLS} killed loaders`, async () => {
  const [name, counts] = [uniqueName("loads"), uniqueName("counts")];
  using map = SharedMap.create(name, { size: SIZE, codec: codecs.json<{ text: string }>() });
  using begun = SharedMap.create(counts, { size: SIZE, codec: codecs.number });
  const random = seededRandom("killed loaders");
  /** Starts a worker, and waits until it is at work, so that the kills meet such. */
  const start = async (): Promise<Child> => {
    const child = spawnBun("test/peers/map-loader.ts", name, counts, "1000000", "20");
    const reader = child.stdout.getReader();
    const said = Buffer.from((await reader.read()).value ?? []).toString();
    if (said !== "ready\n") throw new Error(await child.stderr.text());
    reader.releaseLock();
    return child;
  };
  /** Kills a worker, which never ends by itself: it would if a value were wrong. */
  const kill = async (child: Child): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
    expect([child.signalCode, await child.stderr.text()]).toEqual(["SIGKILL", ""]);
  };
  const workers = await Promise.all(Array.from({ length: WORKERS }, start));
  try {
    for (let kills = 0; kills < KILLS; kills++) {
      await Bun.sleep(random() * 120);
      await kill(workers.shift()!);
      workers.push(await start());
    }
    // Those who wait for a load of a dead one go on, too.
    const [size] = [map.size];
    while (map.size < size + 3) await Bun.sleep(5);
    for (const child of workers) await kill(child);
  } finally {
    for (const child of workers) child.kill("SIGKILL");
  }
  const loads = [...begun.values()];
  const total = loads.reduce((sum, each) => sum + each, 0);
  console.log(`map loads: ${map.size} keys, ${KILLS + WORKERS} kills, ${total} loads`);
  expect(total).toBeLessThanOrEqual(begun.size + KILLS + WORKERS);
  // Some were killed while they loaded, or this has shown nothing.
  expect(total).toBeGreaterThan(begun.size);
  for (const [key, value] of map) {
    expect(value).toEqual({ text: `value of ${key}` });
    expect(begun.get(key)!).toBeGreaterThan(0);
  }
  // Nothing of the killed loaders is left, once somebody has looked.
  map.clear();
  const { freeBytes, byteLength } = map.stats();
  expect(freeBytes).toBe(byteLength);
  map.unlink();
  begun.unlink();
}, 3_600_000);
