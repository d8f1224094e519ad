/** Runs every TypeScript example of the README, the docs and the doc comments. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as bunShm from "../../src/index.ts";
import { TEST_PREFIX, leftovers } from "../support/names.ts";
import { BUN } from "../support/process.ts";

const ROOT = join(import.meta.dir, "../..");
const FENCE = /^([ \t]*(?:\* ?)?)```ts\n([\s\S]*?)^[ \t]*(?:\* ?)?```/gm;

interface Example {
  readonly where: string;
  readonly code: string;
}

function examplesOf(file: string): Example[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(FENCE)].map((match) => ({
    where: `${file}:${text.slice(0, match.index).split("\n").length}`,
    code: match[2]!.replaceAll(/^[ \t]*\* ?/gm, ""),
  }));
}

/**
 * A whole program of an example: doc comments leave the import out, and the objects get names
 * of this run, so that two runs at once do not meet.
 */
function programOf({ code }: Example): string {
  const named = code.replaceAll(/"\/([a-z][\w-]*)"/g, `"/${TEST_PREFIX}$1"`);
  if (named.includes('from "bun-shm"')) return named;
  const used = Object.keys(bunShm).filter((name) => new RegExp(`\\b${name}\\b`).test(named));
  return `import { ${used.join(", ")} } from "bun-shm";\n${named}`;
}

const files = [
  "README.md",
  ...new Bun.Glob("docs/*.md").scanSync(ROOT),
  ...new Bun.Glob("src/**/*.ts").scanSync(ROOT),
].sort();
const examples = files.flatMap(examplesOf);

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
