/** What `bun --hot` leaves of an older load of a program: nothing that a newer one takes again. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codecs, Lease, MessageQueue, Meters, RingBuffer } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { BUN, WATCHDOG_MS } from "../support/process.ts";

const SOURCE = join(import.meta.dir, "../../src/index.ts");
const LOADS = 4;

/** A program that takes every place that only one can have, each time that it is loaded. */
const program = (name: string, load: number): string => `
import { Lease, MessageQueue, Meters, RingBuffer, codecs } from ${JSON.stringify(SOURCE)};

const say = (...what: unknown[]) => console.log("load ${load}:", ...what);
const follow = async (what: string, values: AsyncIterable<unknown>) => {
  try {
    for await (const value of values) say(what, value);
  } catch (error) {
    say(what, error.name);
  }
  say(what, "ends");
};

const ring = RingBuffer.openOrCreate("${name}-ring", { codec: codecs.utf8 });
const producer = ring.producer();
follow("ring", ring.consumer());
producer.write("record ${load}");

const mpsc = RingBuffer.openOrCreate("${name}-mpsc", { kind: "mpsc", codec: codecs.utf8 });
follow("mpsc", mpsc.consumer());

const broadcast = RingBuffer.openOrCreate("${name}-broadcast", { kind: "broadcast" });
const sender = broadcast.producer();
follow("broadcast", broadcast.consumer());

const queue = MessageQueue.openOrCreate("${name}-queue");
follow("queue", queue);
queue.tryEnqueue("message ${load}");

const term = Lease.openOrCreate("${name}-lease").tryAcquire();
say("lease", term !== undefined);
term?.ended.then((how) => say("lease", how));

const meters = Meters.openOrCreate("${name}-meters", { size: 16384 });
const loads = meters.gauge("loads", { help: "Of which the older ones are no more." });
loads.set(1);
say("meters", loads.value, meters.stats().seats);
// A handle that a load forgets ends when it is collected, and that may be later.
setInterval(() => meters.closed, 1e6).unref();

globalThis.kept ??= RingBuffer.openOrCreate("${name}-kept").producer();
say("kept", globalThis.kept.tryWrite(new Uint8Array(8)));

const old = setInterval(() => {
  try {
    producer.tryWrite("late ${load}");
  } catch (error) {
    clearInterval(old);
    say("closed", error.message);
  }
}, 1);
say("loaded");
`;

test("a newer load takes what older ones have, and leaves what an app keeps", async () => {
  const name = uniqueName();
  const directory = mkdtempSync(join(tmpdir(), "bun-shm-reload-"));
  const path = join(directory, "program.ts");
  writeFileSync(path, program(name, 0));
  const child = Bun.spawn([BUN, "--hot", path], { stdout: "pipe", stderr: "pipe" });
  try {
    const watchdog = setTimeout(() => child.kill("SIGKILL"), WATCHDOG_MS);
    let said = "";
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const sees = async (line: string): Promise<void> => {
      while (!said.includes(line)) {
        const { value, done } = await output.read();
        if (done) throw new Error(`${said}\n${await child.stderr.text()}`);
        said += value;
      }
    };
    const linesOf = (load: number): string[] =>
      said.split("\n").filter((line) => line.startsWith(`load ${load}: `));

    await sees("load 0: loaded\n");
    for (let load = 1; load < LOADS; load++) {
      writeFileSync(path, program(name, load));
      await sees(`load ${load}: loaded\n`);
    }
    const last = LOADS - 1;
    {
      using mpsc = RingBuffer.open(`${name}-mpsc`, { codec: codecs.utf8 });
      using producer = mpsc.producer();
      using queue = MessageQueue.open(`${name}-queue`);
      for (let at = 0; at < 50; at++) {
        queue.enqueue(`after ${at}`);
        producer.write(`after ${at}`);
        if (at % 10 === 0) await Bun.sleep(1);
      }
    }
    await sees(`load ${last}: queue after 49\n`);
    await sees(`load ${last}: mpsc after 49\n`);
    clearTimeout(watchdog);

    for (let load = 0; load < last; load++) {
      const lines = linesOf(load);
      expect(lines).toContain(`load ${load}: lease true`);
      expect(lines).toContain(`load ${load}: lease released`);
      expect(lines).toContain(`load ${load}: kept true`);
      for (const what of ["ring", "mpsc", "broadcast", "queue"]) {
        expect(lines).toContain(`load ${load}: ${what} ends`);
      }
      expect(lines.find((line) => line.includes("closed"))).toContain(
        "a newer load of this module",
      );
      expect(lines.filter((line) => line.includes("after"))).toEqual([]);
    }
    const lines = linesOf(last);
    expect(lines).toContain(`load ${last}: lease true`);
    expect(lines).toContain(`load ${last}: meters 1 1`);
    expect(lines).toContain(`load ${last}: kept true`);
    for (const what of ["queue", "mpsc"]) {
      const expected = Array.from({ length: 50 }, (_, at) => `load ${last}: ${what} after ${at}`);
      expect(lines.filter((line) => line.includes(`${what} after`))).toEqual(expected);
    }
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    rmSync(directory, { recursive: true });
    for (const kind of ["ring", "mpsc", "broadcast", "kept"]) RingBuffer.unlink(`${name}-${kind}`);
    MessageQueue.unlink(`${name}-queue`);
    Meters.unlink(`${name}-meters`);
    Lease.unlink(`${name}-lease`);
  }
});
