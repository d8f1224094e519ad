/** send, recv, cat and tail: the shell's pipes through shared memory. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, openSync, rmSync, writeSync, closeSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { MessageQueue, RingBuffer, Segment } from "../../src/index.ts";
import { CONSUMER_ROLE_OFFSET } from "../../src/layout/ring-layout.ts";
import { uniqueName } from "../support/names.ts";
import { testWithTmux } from "../support/needs.ts";
import { seededRandom } from "../support/random.ts";
import { MAIN, eventually, outputUntil, shell, shm, shmJson, spawnShm } from "../support/shm.ts";
import { Terminal } from "../support/terminal.ts";

const MIB = 1 << 20;
const FILE_MIB = process.env["BUN_SHM_SOAK"] === undefined ? 64 : 1024;

const directory = mkdtempSync(join(tmpdir(), "bun-shm-pipe-"));
afterAll(() => rmSync(directory, { recursive: true }));

function randomFile(mebibytes: number): string {
  const path = join(directory, `random-${mebibytes}`);
  const file = openSync(path, "w");
  const words = new Uint32Array(MIB / 4);
  const random = seededRandom("a file");
  for (let at = 0; at < words.length; at++) words[at] = random() * 2 ** 32;
  for (let at = 0; at < mebibytes; at++) {
    // No part is like another.
    words[0] = at;
    writeSync(file, words);
  }
  closeSync(file);
  return path;
}

describe("send and recv", () => {
  testWithTmux(
    `move a file of ${FILE_MIB} MiB intact, while top shows them`,
    async () => {
      const name = uniqueName("file");
      const file = randomFile(FILE_MIB);
      RingBuffer.create(name, { capacity: MIB }).close();
      using terminal = new Terminal(`"${process.execPath}" ${MAIN} top --interval 0.1`, 160, 20);
      await terminal.shows(new RegExp(`${name} +ring`));
      // In parts, with pauses that a screen can be read in: the whole would be through in a blink.
      const part = (FILE_MIB / 8) * MIB;
      const moved = shell(
        `parts() { for i in 0 1 2 3 4 5 6 7; do
          tail -c +$((i * ${part} + 1)) ${file} | head -c ${part}; sleep 0.4; done; }
        bun-shm recv ${name} --unlink | sha256sum & parts | bun-shm send ${name} --raw; wait`,
      );
      // Both ends among the users, and bytes that move.
      await terminal.shows(new RegExp(`${name} +ring +[1-9][\\d.]*\\S* .*\\d+ bun`));
      const { stdout, stderr, exitCode } = await moved;
      const sum = await shell(`sha256sum < ${file}`);
      expect([stdout, stderr, exitCode]).toEqual([sum.stdout, "", 0]);
      terminal.type("q");
      expect(Segment.exists(name)).toBe(false);
    },
    300_000,
  );

  test("lines of any length arrive as they were, and both may make the ring", async () => {
    const name = uniqueName("lines");
    const { stdout, stderr } = await shell(
      `(seq 1 30000; head -c 100000 /dev/zero | tr '\\0' x; echo; echo; printf 'no end') > ${directory}/in
      bun-shm recv ${name} --create --unlink > ${directory}/out &
      bun-shm send ${name} --create < ${directory}/in
      wait; (cat ${directory}/in; echo) | cmp - ${directory}/out && echo same`,
    );
    expect([stdout, stderr]).toEqual(["same\n", ""]);
  });

  test("a full ring holds the sender back, and nothing is lost", async () => {
    const name = uniqueName("full");
    using ring = RingBuffer.create(name, { capacity: 4096 });
    const sending = shell(`seq 1 2000 | bun-shm send ${name}`);
    await Bun.sleep(200);
    const first = await shm("recv", name, "--count", "3");
    expect(first.stdout).toBe("1\n2\n3\n");
    const rest = await shm("recv", name);
    expect(rest.stdout.split("\n").slice(0, -1)).toEqual(
      Array.from({ length: 1997 }, (_, at) => String(at + 4)),
    );
    expect((await sending).exitCode).toBe(0);
    ring.unlink();
  });

  test("a queue takes lines, and refuses bytes and what is too long", async () => {
    const name = uniqueName("queue");
    using queue = MessageQueue.create(name);
    const { exitCode } = await shell(`printf 'one\\ntwo\\n' | bun-shm send ${name}`);
    expect(exitCode).toBe(0);
    expect((await shm("cat", name)).stdout).toBe("one\ntwo\n");
    expect(queue.size).toBe(2);
    const raw = await shell(`echo x | bun-shm send ${name} --raw`);
    expect([raw.exitCode, raw.stderr]).toEqual([2, expect.stringContaining("use a ring")]);
    const long = await shell(`head -c 300 /dev/zero | tr '\\0' x | bun-shm send ${name}`);
    expect([long.exitCode, long.stderr]).toEqual([6, expect.stringContaining("255 bytes")]);
    for (const [line, why] of [
      ["a\\0b", "it has a NUL"],
      ["a\\xffb", "it is not UTF-8"],
    ] as const) {
      const { exitCode, stderr } = await shell(`printf '${line}\\n' | bun-shm send ${name}`);
      expect([exitCode, stderr]).toEqual([6, expect.stringContaining(why)]);
    }
    const got = await shm("recv", name, "--timeout", "0.1");
    expect([got.exitCode, got.stdout]).toEqual([1, "one\ntwo\n"]);
    queue.unlink();
  });

  test("a line that is too long ends send, and those before it arrive", async () => {
    const name = uniqueName("long");
    using ring = RingBuffer.create(name, { capacity: 4096 });
    const { maxRecordLength } = ring;
    const long = (length: number): string => `head -c ${length} /dev/zero | tr '\\0' x`;
    const fits = await shell(`${long(maxRecordLength)} | bun-shm send ${name} --json`);
    expect(JSON.parse(fits.stdout)).toEqual({ name, records: 1, bytes: maxRecordLength });
    expect((await shm("recv", name)).stdout.length).toBe(maxRecordLength + 1);
    const { exitCode, stdout, stderr } = await shell(
      `(echo one; ${long(maxRecordLength + 1)}; echo; echo after) | bun-shm send ${name}`,
    );
    expect([exitCode, stdout, stderr]).toEqual([
      6,
      "",
      `bun-shm: Cannot send line 2 into ring "${name}": it has more than ${maxRecordLength} ` +
        "bytes, the most that a record can have. --raw sends bytes of any length, in blocks, " +
        "into a ring\n",
    ]);
    expect((await shm("recv", name)).stdout).toBe("one\n");
    ring.unlink();
  });

  test("a line without end takes no memory", async () => {
    const name = uniqueName("endless");
    using ring = RingBuffer.create(name, { capacity: MIB });
    const { stdout, stderr } = await shell(
      `head -c 200000000 /dev/zero 2>/dev/null | (bun-shm send ${name} & wait $!; echo "code $?")`,
    );
    expect(stdout).toBe("code 6\n");
    expect(stderr).toContain(`Cannot send line 1 into ring "${name}"`);
    ring.unlink();
  });

  test("recv and cat of a ring that goes round for ever end", async () => {
    const name = uniqueName("round");
    using ring = RingBuffer.create(name, { capacity: 4096 });
    const { view, size } = ring.segment;
    for (let at = size - 4096; at < size; at += 16) view.setUint32(at, 16, true);
    const seen = await shm("cat", name);
    expect([seen.exitCode, seen.stdout.length]).toEqual([0, (4096 / 16) * 9]);
    const got = await shm("recv", name, "--follow");
    expect(got.exitCode).toBe(6);
    expect(got.stdout.length).toBeLessThan(4 * 4096);
    expect(got.stderr).toContain("it is corrupt, more comes out than it can hold");
    ring.unlink();
  });

  test("--unlink removes the object also after a signal, and when the reader has enough", async () => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      const name = uniqueName("signal");
      const receiving = spawnShm("recv", name, "--create", "--unlink");
      await eventually(() => {
        if (!Segment.exists(name)) return false;
        using ring = RingBuffer.open(name);
        return ring.segment.view.getUint32(CONSUMER_ROLE_OFFSET, true) !== 0;
      });
      receiving.kill(signal);
      receiving.kill(signal);
      expect(await receiving.exited).toBe(128 + constants.signals[signal]);
      expect(Segment.exists(name)).toBe(false);
    }
    const name = uniqueName("head");
    const { stdout } = await shell(
      `bun-shm recv ${name} --create --capacity 4M --unlink --follow | head -1 &
      seq 1 200000 | bun-shm send ${name} --wait 60; wait`,
    );
    expect([stdout, Segment.exists(name)]).toEqual(["1\n", false]);
  });

  test("say what is not there, what is no pipe, and who has the role", async () => {
    const name = uniqueName("none");
    expect((await shm("recv", name)).exitCode).toBe(3);
    using raw = Segment.create(uniqueName("noring"), { size: 64 });
    raw.bytes[0] = 1;
    const refused = await shm("recv", raw.name);
    expect([refused.exitCode, refused.stderr]).toEqual([
      6,
      expect.stringContaining("neither a ring nor a queue"),
    ]);
    raw.unlink();
    using ring = RingBuffer.create(name);
    using consumer = ring.consumer();
    expect(consumer.closed).toBe(false);
    const busy = await shm("recv", name);
    expect([busy.exitCode, busy.stderr]).toEqual([
      5,
      expect.stringContaining("a live consumer has it"),
    ]);
    const told = await shmJson<{ roles: string[] }>("stat", name);
    expect(told.roles).toEqual(["consumer"]);
    ring.unlink();
  });
});

describe("cat and tail", () => {
  test.each(["spsc", "mpsc"] as const)("look into a ring (%s) and take nothing", async (kind) => {
    const name = uniqueName("look");
    using ring = RingBuffer.create(name, { kind, capacity: 4096 });
    using producer = ring.producer();
    using consumer = ring.consumer();
    for (const text of ["one", "two", "three"]) producer.tryWrite(text);
    consumer.tryTake();
    expect((await shm("cat", name)).stdout).toBe("two\nthree\n");
    expect((await shm("cat", name, "--json")).stdout.split("\n")[0]).toBe(
      '{"number":1,"type":0,"length":3,"text":"two"}',
    );
    const { activity } = await shmJson<{ activity: object }>("stat", name);
    expect(activity).toMatchObject({ in: 3, out: 1, capacity: 4096, unit: "bytes" });
    const tailing = spawnShm("tail", name, "--count", "2");
    // What was in it before tail came is not shown, so it is fed until it has shown enough.
    const ended = tailing.exited;
    let done = false;
    void ended.then(() => (done = true));
    for (let at = 0; !done; at++) {
      producer.tryWrite(`new ${at}`);
      await Bun.sleep(5);
      if (at % 50 === 49) while (consumer.tryTake() !== undefined);
    }
    expect(await ended).toBe(0);
    expect(await outputUntil(tailing, "\0")).toMatch(/^new \d+\nnew \d+\n$/);
    ring.unlink();
  });

  test("tail follows a queue", async () => {
    const name = uniqueName("tailq");
    using queue = MessageQueue.create(name);
    queue.enqueue("old");
    const tailing = spawnShm("tail", name, "--count", "2");
    let done = false;
    void tailing.exited.then(() => (done = true));
    for (let at = 0; !done; at++) {
      queue.tryEnqueue(`new ${at}`);
      await Bun.sleep(15);
      if (at % 5 === 4) while (queue.tryDequeue() !== undefined);
    }
    expect(await outputUntil(tailing, "\0")).toMatch(/^new \d+\nnew \d+\n$/);
    queue.unlink();
  });
});
