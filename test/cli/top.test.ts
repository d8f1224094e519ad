/** top, in a real terminal, beside a queue that moves. */
import { describe, expect, test } from "bun:test";
import { MessageQueue } from "../../src/index.ts";
import { TEST_PREFIX, uniqueName } from "../support/names.ts";
import { testWithTmux } from "../support/needs.ts";
import { MAIN, shm, shmJson } from "../support/shm.ts";
import { Terminal } from "../support/terminal.ts";

/** Keeps one message in a queue moving while `run` goes on. */
async function withTraffic(queue: MessageQueue, run: () => Promise<void>): Promise<void> {
  const timer = setInterval(() => {
    queue.tryEnqueue("moving");
    if (queue.size > 6) queue.tryDequeue();
  }, 5);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
}

describe("top", () => {
  test("--once prints a measurement, --json for scripts", async () => {
    using queue = MessageQueue.create(uniqueName("top"));
    queue.enqueue("one");
    const { stdout } = await shm("top", "--once", "--interval", "0.1");
    expect(stdout.split("\n")[0]).toMatch(/^NAME +KIND +IN\/s +OUT\/s/);
    expect(stdout).toMatch(new RegExp(`^${queue.name} +queue `, "m"));
    const rows = await shmJson<{ name: string; activity: object }[]>("top", "--interval", "0.1");
    const row = rows.find(({ name }) => name === queue.name);
    expect(row).toMatchObject({ kind: "queue", activity: { depth: 1, capacity: 10 } });
    queue.unlink();
  });

  test("says that it wants a terminal", async () => {
    const { exitCode, stderr } = await shm("top");
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("--once")]);
  });

  testWithTmux("draws live, sorts, fits, and puts the terminal back", async () => {
    using queue = MessageQueue.create(uniqueName("live"));
    const top = `NO_COLOR= "${process.execPath}" ${MAIN} top --interval 0.2`;
    const line = `echo before; ${top}; echo "ended $?"; stty -a | grep -o " [-]*icanon"; cat`;
    using terminal = new Terminal(line, 130, 20);
    await withTraffic(queue, async () => {
      const screen = await terminal.shows(new RegExp(`/${TEST_PREFIX}\\S* +queue +-`));
      expect(screen).toContain("sorted by rate");
      expect(screen).not.toContain("before");
      expect(screen).toMatch(/[█░]{12}/);
      expect(screen).toMatch(/ {2}\d+ bun/);
      terminal.type("s");
      await terminal.shows("sorted by depth");
      terminal.type("n");
      await terminal.shows("sorted by name");
      terminal.resize(60, 10);
      await terminal.shows(/q quit/);
      for (const row of terminal.screen().split("\n")) expect(row.length).toBeLessThanOrEqual(60);
      terminal.type("q");
      const after = await terminal.shows("ended 0");
      expect(after).toContain("before");
      await terminal.shows(/ icanon/);
    });
    queue.unlink();
  });

  testWithTmux("Ctrl-C puts the terminal back too", async () => {
    const line = `"${process.execPath}" ${MAIN} top; echo "ended $?"; cat`;
    using terminal = new Terminal(line, 100, 10);
    await terminal.shows("q quit");
    terminal.type("C-c");
    await terminal.shows("ended 0");
  });
});
