/**
 * Runs the tests, one file more at a time than there are cores, since many of them wait.
 *
 * Each file has a process of its own. `bun test --parallel` runs many files in one process, each
 * with fresh globals, which is not safe here, because what belongs to the thread outlives the
 * globals: a robust mutex that a test leaves locked stays in the thread's list when the collector
 * unmaps it, and the next lock in another file's test faults.
 *
 * Prints the sums of all files last, as `bun test` does, and exits with 1 when anything failed. A
 * signal ends it together with what it started, and removes what that left in /dev/shm.
 */
import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";
import type { Subprocess } from "bun";
import { removeLeftovers } from "../test/support/names.ts";
import { readCommandLine } from "./command-line.ts";

const ROOT = join(import.meta.dir, "..");
/** When a test counts as hung, in ms; it is not a limit on speed. */
const TIMEOUT_MS = 300_000;

const USAGE = `Usage: bun run test [FILTER…] [-t NAME]

A filter is a part of a test file's path; -t runs only the tests whose names have NAME in them.`;

const { values, positionals } = readCommandLine(USAGE, {
  options: { "test-name-pattern": { type: "string", short: "t" } },
  allowPositionals: true,
});
const pattern = values["test-name-pattern"];
const more = pattern === undefined ? [] : ["-t", pattern, "--pass-with-no-tests"];

// The longest files come first, so that none of them runs alone at the end.
const isLong = (file: string): boolean => /kill|interleav/.test(file);
// A filter is a part of a path, or a path as a shell completes it.
const filters = positionals.map((filter) => relative(ROOT, resolve(ROOT, filter)));
const files = [...new Bun.Glob("test/**/*.test.ts").scanSync(ROOT)]
  .filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)))
  .sort((a, b) => Number(isLong(b)) - Number(isLong(a)) || (a < b ? -1 : 1));

if (files.length === 0) {
  console.error(`No file of tests has ${positionals.join(" or ")} in its path`);
  process.exit(1);
}

const running = new Set<Subprocess>();
const sums = { pass: 0, skip: 0, fail: 0 };
const shown: string[] = [];
let broken = 0;

async function run(file: string): Promise<void> {
  const command = ["--no-orphans", "test", `./${file}`, "--timeout", `${TIMEOUT_MS}`, ...more];
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  running.delete(child);
  // `bun test` writes the tests' names to stderr, and the tests themselves print to stdout.
  console.log(`\n${stdout.trim()}\n${stderr.trim()}`);
  for (const what of ["pass", "skip", "fail"] as const) {
    sums[what] += Number(new RegExp(`^\\s*(\\d+) ${what}$`, "m").exec(stderr)?.[1] ?? 0);
  }
  const lines = stderr.split("\n").filter((line) => /^\((skip|fail)\)/.test(line));
  shown.push(...new Set(lines.map((line) => `${line}  ${file}`)));
  if (child.exitCode === 0) return;
  broken++;
  shown.push(`(ended with ${child.signalCode ?? child.exitCode})  ${file}`);
  removeLeftovers(child.pid);
}

async function end(code: number): Promise<void> {
  const ended = [...running];
  for (const child of ended) child.kill("SIGKILL");
  await Promise.all(ended.map((child) => child.exited));
  for (const child of ended) removeLeftovers(child.pid);
  process.exit(code);
}
process.on("SIGTERM", () => void end(143));
process.on("SIGINT", () => void end(130));

const start = performance.now();
const queue = [...files];
const lane = async (): Promise<void> => {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) await run(file);
};
await Promise.all(Array.from({ length: availableParallelism() + 1 }, lane));

const seconds = ((performance.now() - start) / 1000).toFixed(1);
console.log(`\n${shown.sort().join("\n")}`);
console.log(`\n ${sums.pass} pass\n ${sums.skip} skip\n ${sums.fail} fail`);
console.log(`Ran ${files.length} files. [${seconds}s]`);
// A name that no test has is a slip too.
process.exit(broken === 0 && sums.pass + sums.skip > 0 ? 0 : 1);
