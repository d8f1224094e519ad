/** The programs that `bun run` starts: what they print, how they end, what they leave. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { MessageQueue, Segment } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, finished, runBun, spawnBun } from "../support/process.ts";
import { shell } from "../support/shm.ts";

// A watchdog, and no limit on speed; the preload's holds for the first file alone.
setDefaultTimeout(300_000);

const PRODUCER = "examples/producer.ts";
const CONSUMER = "examples/consumer.ts";

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("It did not come to that in 30 s");
    await Bun.sleep(2);
  }
}

const isMade = (name: string): boolean => {
  try {
    using queue = MessageQueue.open(name);
    return queue.stats().highWater > 0;
  } catch {
    return false;
  }
};

const leftOf = (name: string): string[] =>
  readdirSync("/dev/shm").filter((file) => file.includes(name.slice(1)));

/** A producer that has put its first message in, and sends the next in an hour. */
async function running(name: string): Promise<Child> {
  const child = spawnBun(PRODUCER, "--name", name, "--interval", "3600000");
  await until(() => isMade(name));
  return child;
}

test("every program has at most 60 lines, and a place in the index", () => {
  const directory = join(import.meta.dir, "../../examples");
  const files = [...new Bun.Glob("**/*.ts").scanSync(directory)].sort();
  const index = readFileSync(join(directory, "README.md"), "utf8");
  const manifest = readFileSync(join(directory, "../package.json"), "utf8");
  const { scripts } = JSON.parse(manifest) as { scripts: Record<string, string> };
  expect(files).toContain("producer.ts");
  for (const file of files) {
    const lines = readFileSync(join(directory, file), "utf8").trimEnd().split("\n").length;
    expect([file, lines <= 60]).toEqual([file, true]);
    if (!file.startsWith("support/")) expect(index).toContain(`[${file}](${file})`);
  }
  for (const [, command] of index.matchAll(/`bun run ([\w:]+)`/g)) {
    expect(scripts[command!]).toContain(" examples/");
  }
});

describe("producer", () => {
  test("prints what the C program prints, and removes what it made", async () => {
    const name = uniqueName("producer");
    const consumer = spawnBun(CONSUMER, "--name", name, "--wait", "20", "--count", "3");
    const producer = spawnBun(PRODUCER, "--name", name, "--count", "3", "--interval", "10");
    const [made, taken] = await Promise.all([finished(producer), finished(consumer)]);
    expect([made.exitCode, taken.exitCode, made.stderr, taken.stderr]).toEqual([0, 0, "", ""]);
    const lines = made.stdout.trim().split("\n");
    for (let number = 0; number < 3; number++) {
      expect(lines[number]).toMatch(
        new RegExp(`^Produced: Message #${number} from PID ${producer.pid} \\(queue size: \\d\\)$`),
      );
    }
    expect(lines.slice(3)).toEqual(["Exiting", "Removed shared resources"]);
    expect(leftOf(name)).toEqual([]);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`${signal} stops it, also while the queue is full`, async () => {
      const name = uniqueName("stopped");
      const child = spawnBun(PRODUCER, "--name", name, "--interval", "0");
      await until(() => isMade(name));
      {
        using queue = MessageQueue.open(name);
        await until(() => queue.size === 10);
      }
      child.kill(signal);
      const { exitCode, stdout, stderr } = await finished(child);
      expect([exitCode, stderr]).toEqual([0, ""]);
      expect(stdout).toEndWith("Exiting\nRemoved shared resources\n");
      expect(leftOf(name)).toEqual([]);
    });
  }

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`two of ${signal} at once leave nothing`, async () => {
      const name = uniqueName("twice");
      const child = await running(name);
      child.kill(signal);
      child.kill(signal);
      // The kernel may make one of the two, and the program may have ended before the second.
      const { exitCode } = await finished(child);
      expect([0, 128 + constants.signals[signal]]).toContain(exitCode!);
      expect(leftOf(name)).toEqual([]);
    });
  }

  test("it ends, as the consumer does, when the reader of its output has enough", async () => {
    const name = uniqueName("head");
    const run = (program: string): string => `"${process.execPath}" ${program} --name ${name}`;
    const made = await shell(`${run(PRODUCER)} --interval 5 | head -2 | wc -l`);
    expect([made.stdout, made.stderr]).toEqual(["2\n", ""]);
    expect(leftOf(name)).toEqual([]);
    using queue = MessageQueue.create(name);
    const timer = setInterval(() => queue.tryEnqueue("one"), 5);
    const taken = await shell(`${run(CONSUMER)} | head -2 | wc -l`);
    clearInterval(timer);
    expect([taken.stdout, taken.stderr]).toEqual(["2\n", ""]);
    queue.unlink();
  });

  test("a second one is refused", async () => {
    const name = uniqueName("second");
    const first = await running(name);
    const { exitCode, stderr } = await runBun(PRODUCER, "--name", name);
    expect([exitCode, stderr]).toEqual([
      1,
      `Another producer is running on ${name}. Stop it first, or choose a --name.\n`,
    ]);
    first.kill("SIGTERM");
    expect((await finished(first)).exitCode).toBe(0);
  });

  test("what a dead one left is removed, and that is said", async () => {
    const name = uniqueName("dead");
    const first = await running(name);
    first.kill("SIGKILL");
    await first.exited;
    expect(leftOf(name)).toHaveLength(4);
    const consumer = spawnBun(CONSUMER, "--name", name, "--wait", "20");
    const second = await runBun(PRODUCER, "--name", name, "--count", "1", "--interval", "1");
    expect(second.exitCode).toBe(0);
    expect(second.stdout).toStartWith("Removed leftovers of a producer that died\nProduced: ");
    // Whichever queue it found at first, it has the messages of both.
    const { exitCode, stdout } = await finished(consumer);
    expect([exitCode, stdout.split("Consumed: ").length - 1]).toEqual([0, expect.any(Number)]);
    expect(stdout).toContain(`from PID ${second.stdout.match(/PID (\d+)/)![1]}`);
    expect(leftOf(name)).toEqual([]);
  });
});

describe("consumer", () => {
  test("without a producer it says so", async () => {
    const name = uniqueName("alone");
    const { exitCode, stdout, stderr } = await runBun(CONSUMER, "--name", name);
    expect([exitCode, stdout, stderr]).toEqual([
      1,
      "",
      "Producer not running. Start producer first.\n",
    ]);
    const waited = await runBun(CONSUMER, "--name", name, "--wait", "0.2");
    expect([waited.exitCode, waited.stderr]).toEqual([
      1,
      "Producer not running. Start producer first.\n",
    ]);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`${signal} stops it while it waits, and the queue stays`, async () => {
      const name = uniqueName("waiting");
      using queue = MessageQueue.create(name);
      const child = spawnBun(CONSUMER, "--name", name);
      queue.enqueue("one");
      await until(() => queue.size === 0);
      await Bun.sleep(50);
      child.kill(signal);
      const { exitCode, stdout } = await finished(child);
      expect([exitCode, stdout]).toEqual([0, "Consumed: one (queue size: 0)\nExiting\n"]);
      expect(Segment.exists(name)).toBe(true);
      queue.unlink();
    });
  }

  test("--json writes one object a line", async () => {
    const name = uniqueName("json");
    const consumer = spawnBun(CONSUMER, "--name", name, "--wait", "20", "--json");
    const produced = await runBun(
      PRODUCER,
      "--json",
      "--name",
      name,
      "--count",
      "2",
      "--interval",
      "1",
      "--message",
      "Hi",
    );
    const events = (text: string): unknown[] =>
      text
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { event: string }).event);
    expect(events(produced.stdout)).toEqual(["produced", "produced", "exiting", "removed"]);
    expect(events((await finished(consumer)).stdout)).toEqual(["consumed", "consumed", "exiting"]);
  });
});

test("help, and options that are wrong", async () => {
  for (const program of [PRODUCER, CONSUMER]) {
    const help = await runBun(program, "--help");
    expect([help.exitCode, help.stderr]).toEqual([0, ""]);
    for (const option of ["--name", "--count", "--interval", "--json", "--help"]) {
      expect(help.stdout).toContain(option);
    }
    const wrong = await runBun(program, "--count", "many");
    expect([wrong.exitCode, wrong.stdout]).toEqual([2, ""]);
    expect(wrong.stderr).toContain("--count many: it must be a number of 0 or more");
    for (const option of ["--interval=-1", "--interval=1e12", "--interval=NaN", "--count=1.5"]) {
      const refused = await runBun(program, option);
      expect([option, refused.exitCode, refused.stdout]).toEqual([option, 2, ""]);
      expect(refused.stderr).toContain("it must be a number of 0 or more, up to ");
    }
    expect((await runBun(program, "--nonsense")).exitCode).toBe(2);
    const badName = await runBun(program, "--name", "noslash");
    expect([badName.exitCode, badName.stdout]).toEqual([1, ""]);
    expect(badName.stderr).toContain('it must start with "/"');
  }
});

describe("demos", () => {
  test("the demo succeeds, and leaves nothing", async () => {
    const child = spawnBun("examples/demo.ts");
    const { exitCode, stdout, stderr } = await finished(child);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("12 of 12, each once and in order");
    expect(stdout).toEndWith("The demo succeeded.\n");
    expect(leftOf(`/bun-shm-demo-${child.pid}`)).toEqual([]);
  });

  for (const [program, label] of [
    ["examples/demo-size.ts", "size"],
    ["examples/demo-modes.ts", "modes"],
  ] as const) {
    test(`two signals leave nothing of ${program}`, async () => {
      const child = spawnBun(program);
      const name = `bun-shm-${label}-${child.pid}`;
      await until(() => leftOf(`/${name}`).length > 0 || child.exitCode !== null);
      child.kill("SIGHUP");
      child.kill("SIGHUP");
      await child.exited;
      expect(leftOf(`/${name}`)).toEqual([]);
    });
  }

  test("an interrupted demo fails, and leaves nothing", async () => {
    const child = spawnBun("examples/demo.ts");
    const name = `/bun-shm-demo-${child.pid}`;
    await until(() => isMade(name));
    child.kill("SIGINT");
    const { exitCode, stderr } = await finished(child);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("it was interrupted");
    expect(leftOf(name)).toEqual([]);
  });

  for (const program of ["examples/demo-size.ts", "examples/demo-modes.ts"]) {
    test(program, async () => {
      const child = spawnBun(program);
      const { exitCode, stdout, stderr } = await finished(child);
      expect([exitCode, stderr]).toEqual([0, ""]);
      expect(stdout).not.toContain("✗");
      expect(readdirSync("/dev/shm").filter((file) => file.endsWith(`-${child.pid}`))).toEqual([]);
    });
  }
});

test("the comparison of POSIX, System V and mapped files holds, row by row", async () => {
  const { exitCode, stdout } = await runBun("scripts/compare.ts", "--json");
  const { proofs } = JSON.parse(stdout) as { proofs: { topic: string; proof: string }[] };
  expect(proofs.length).toBeGreaterThan(20);
  expect(proofs.filter(({ proof }) => proof !== "proved")).toEqual([]);
  expect(exitCode).toBe(0);
});
