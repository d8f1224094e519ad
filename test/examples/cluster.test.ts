/** How the cluster example ends, and what it says to nonsense. */
import { describe, expect, test } from "bun:test";
import { Lines } from "../support/lines.ts";
import { leftovers, uniqueName } from "../support/names.ts";
import { runBun, spawnBun } from "../support/process.ts";

describe("cluster example", () => {
  test("two signals at once leave nothing", async () => {
    for (const signal of ["SIGINT", "SIGHUP"] as const) {
      const name = uniqueName("twice");
      const child = spawnBun("examples/cluster.ts", "--name", name);
      const lines = new Lines(child);
      await lines.seen(/worker (\d+) is ready/g, 2);
      child.kill(signal);
      child.kill(signal);
      await child.exited;
      await lines.ended;
      expect(leftovers().filter((file) => file.includes(name.slice(1)))).toEqual([]);
    }
  });

  test("has help, and answers nonsense without a stack", async () => {
    const help = await runBun("examples/cluster.ts", "--help");
    expect([help.exitCode, help.stderr]).toEqual([0, ""]);
    for (const option of ["--workers", "--port", "--limit", "--window", "--name"]) {
      expect(help.stdout).toContain(option);
    }
    for (const option of ["--nonsense", "--workers=0", "--port=70000", "--limit=much"]) {
      const { exitCode, stdout, stderr } = await runBun("examples/cluster.ts", option);
      expect([option, exitCode, stdout]).toEqual([option, 2, ""]);
      expect(stderr).toMatch(/^cluster: .+\nTry: .+ --help\n$/);
    }
    const soak = await runBun("scripts/soak.ts", "--help");
    expect([soak.exitCode, soak.stderr]).toEqual([0, ""]);
    expect(soak.stdout).toContain("--kills");
    expect((await runBun("scripts/soak.ts", "--nonsense")).stderr).not.toContain("at ");
  });
});
