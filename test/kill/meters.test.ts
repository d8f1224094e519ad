/** Processes that count, killed at random instants and replaced: no addition is lost or doubled. */
import { expect, test } from "bun:test";
import { Meters, Segment } from "../../src/index.ts";
import { SOAK, firstLine } from "../support/kill.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, spawnBun } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";

const PROCESSES = 8;
const KILLS = SOAK ? 400 : 32;

test(`${PROCESSES} processes, ${KILLS} kills`, async () => {
  const random = seededRandom("kill meters");
  const [name, ledgerName] = [uniqueName("meters"), uniqueName("ledger")];
  const count = KILLS + PROCESSES;
  using meters = Meters.create(name, { size: 2 ** 16 });
  using ledger = Segment.create(ledgerName, { size: count * 128 });
  const words = new Int32Array(ledger.buffer);
  /** The sum over all that were ever started of what they have begun, or done. */
  const total = (word: 0 | 1): number => {
    let sum = 0;
    for (let at = 0; at < count; at++) sum += Atomics.load(words, at * 32 + word);
    return sum;
  };
  const help = "h";
  const requests = meters.counter("requests_total", { help, labels: ["kind"] });
  const kinds = [requests.labels({ kind: "odd" }), requests.labels({ kind: "even" })];
  const seconds = meters.histogram("seconds", { help, bounds: [1, 2, 3] });
  const bounds = Array.from({ length: 90 }, (_, at) => at);
  const wide = meters.histogram("wide", { help, bounds });
  const living = meters.gauge("living", { help });
  const ever = meters.gauge("ever", { help, whenDead: "keep" });
  const counted = {
    counters: () => kinds[0]!.value + kinds[1]!.value,
    seconds: () => seconds.count,
    wide: () => wide.count,
  };
  const check = (): void => {
    for (const [what, value] of Object.entries(counted)) {
      const done = total(1);
      const found = value();
      const begun = total(0);
      expect([what, found >= done, found <= begun]).toEqual([what, true, true]);
    }
  };

  const children: Child[] = [];
  let started = 0;
  const start = async (): Promise<void> => {
    const child = spawnBun("test/peers/meters-adder.ts", name, ledgerName, String(started++));
    children.push(child);
    await firstLine(child);
  };
  let kills = 0;
  const kill = async (child: Child): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
    expect({ signal: child.signalCode, said: await child.stderr.text() }).toEqual({
      signal: "SIGKILL",
      said: "",
    });
    kills++;
  };
  try {
    await Promise.all(Array.from({ length: PROCESSES }, start));
    expect([living.value, ever.value]).toEqual([PROCESSES, PROCESSES]);
    while (kills < KILLS) {
      await Bun.sleep(random() * 20);
      check();
      const at = Math.floor(random() * children.length);
      const [victim] = children.splice(at, 1);
      await kill(victim!);
      check();
      // Its place has no owner now, and its number is still that of the dead.
      expect([living.value, ever.value]).toEqual([PROCESSES - 1, PROCESSES]);
      await start();
      expect([living.value, ever.value]).toEqual([PROCESSES, PROCESSES]);
    }
    for (const child of children.splice(0)) await kill(child);
  } finally {
    for (const child of children) child.kill("SIGKILL");
    for (const child of children) await child.exited;
  }
  check();
  const [begun, done] = [total(0), total(1)];
  expect(kills).toBe(count);
  expect(done).toBeGreaterThanOrEqual(500 * count);
  // A kill can come between an addition and its confirmation, once for each that was killed.
  expect(begun - done).toBeLessThanOrEqual(count);
  expect([living.value, ever.value]).toEqual([0, PROCESSES]);
  const { seats, lost, full } = meters.stats();
  expect({ seats, lost, full }).toEqual({ seats: PROCESSES, lost: 0, full: 0 });
  // A value may be counted and missing in the sum: one for each that was killed, of at most 3.
  const exact = [0, 1, 2, 3].reduce((sum, value) => sum + value * Math.ceil((done - value) / 4), 0);
  expect(Math.abs(seconds.sum - exact)).toBeLessThanOrEqual(count * 6);
  expect(seconds.max).toBe(3);
  console.log(`meters: ${kills} kills, ${done} done, ${begun - done} begun and not confirmed`);
  meters.unlink();
  ledger.unlink();
}, 600_000);
