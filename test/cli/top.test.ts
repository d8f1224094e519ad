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

  testWithTmux("keeps its heads, and wraps nothing, on any screen", async () => {
    const queues = ["a", `${"long-".repeat(20)}name`, "漢字".repeat(12), "🙂‍\u{1f600}"].map(
      (tail) => MessageQueue.create(uniqueName(tail)),
    );
    queues[0]!.enqueue("one");
    const line = `NO_COLOR=1 "${process.execPath}" ${MAIN} top --interval 0.2 --sort depth`;
    using terminal = new Terminal(line, 130, 24);
    const sizes = [
      [130, 24, /^NAME +KIND +IN\/s +OUT\/s +BYTES\/s +DEPTH +HIGH +WAITS +LOST +USERS$/],
      [101, 24, /^NAME +KIND +IN\/s +OUT\/s +BYTES\/s +DEPTH +HIGH +LOST$/],
      [80, 24, /^NAME +KIND +IN\/s +OUT\/s +DEPTH +LOST$/],
      [40, 10, /^NAME +IN\/s +OUT\/s +DEPTH$/],
      [20, 6, /^NAME$/],
    ] as const;
    for (const [columns, rows, head] of sizes) {
      terminal.resize(columns, rows);
      await terminal.shows(new RegExp(head.source, "m"));
      const lines = terminal.screen().split("\n");
      expect(lines[0]).toStartWith("bun-shm top");
      expect(lines[1]!.trimEnd()).toMatch(head);
      // Each structure has one line, which begins with its name: nothing was wrapped.
      const below = lines.slice(2, lines.findIndex((each) => each.startsWith("q quit")) - 1);
      expect(below.filter((each) => !/^(\/|sysv:)/.test(each))).toEqual([]);
      // The last character of a line of full width is there.
      if (columns === 40)
        expect(lines.some((each) => /\/\S+… +\S+ +\S+ +\d+$/.test(each))).toBe(true);
    }
    terminal.type("q");
    for (const queue of queues) queue.unlink();
  });

  testWithTmux("Ctrl-C puts the terminal back too", async () => {
    const line = `"${process.execPath}" ${MAIN} top; echo "ended $?"; cat`;
    using terminal = new Terminal(line, 100, 10);
    await terminal.shows("q quit");
    terminal.type("C-c");
    await terminal.shows("ended 0");
  });
});
