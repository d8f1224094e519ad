/**
 * Runs the benchmarks one after the other: all of them, or those whose names contain a word of the
 * command line. With --json, each prints its figures as JSON; --quick and --runs N are for the
 * ring's. Without --json, what is to be reached stands at the end.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { machine } from "./support/report.ts";
import { showAllTargets } from "./support/targets.ts";

const words = process.argv.slice(2);
const filters = words.filter((word) => !word.startsWith("--"));
const flags = words.filter((word) => word.startsWith("--"));
const isJson = flags.includes("--json");

const directory = mkdtempSync(join(tmpdir(), "bun-shm-bench-"));
const targets = join(directory, "targets");
let failed = false;
for (const file of [...new Bun.Glob("**/*.bench.ts").scanSync(import.meta.dir)].sort()) {
  if (filters.length > 0 && !filters.some((filter) => file.includes(filter))) continue;
  if (!isJson) console.log(`\n— ${file}`);
  const { exitCode } = Bun.spawnSync([process.execPath, `${import.meta.dir}/${file}`, ...flags], {
    stdio: ["inherit", "inherit", "inherit"],
    env: { ...process.env, BENCH_TARGETS: targets },
  });
  failed ||= exitCode !== 0;
}
if (!isJson) {
  console.log(`\n— all, on ${machine()}`);
  showAllTargets(targets);
}
rmSync(directory, { recursive: true });
process.exit(failed ? 1 : 0);
