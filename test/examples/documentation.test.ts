/** Runs every TypeScript example of the README, the docs and the doc comments. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { examples, programOf } from "../support/examples.ts";
import { leftovers } from "../support/names.ts";
import { BUN } from "../support/process.ts";

const ROOT = join(import.meta.dir, "../..");

describe("examples", () => {
  test("are found", () => {
    expect(examples.length).toBeGreaterThan(0);
  });

  for (const example of examples) {
    test(example.where, async () => {
      const child = Bun.spawn([BUN, "run", "-"], {
        cwd: ROOT,
        stdin: new Blob([programOf(example)]),
        stdout: "pipe",
        stderr: "pipe",
        timeout: 60_000,
      });
      const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
      const outcome = { exitCode: await child.exited, stderr };
      expect(outcome, stdout).toEqual({ exitCode: 0, stderr: "" });
      expect(leftovers()).toEqual([]);
    });
  }
});
