/**
 * Runs the benchmarks one after the other: all of them, or those whose names contain a word of the
 * command line. With --json, each prints its figures as JSON.
 */
const words = process.argv.slice(2);
const filters = words.filter((word) => !word.startsWith("--"));
const flags = words.filter((word) => word.startsWith("--"));

let failed = false;
for (const file of [...new Bun.Glob("**/*.bench.ts").scanSync(import.meta.dir)].sort()) {
  if (filters.length > 0 && !filters.some((filter) => file.includes(filter))) continue;
  if (!flags.includes("--json")) console.log(`\n— ${file}`);
  const { exitCode } = Bun.spawnSync([process.execPath, `${import.meta.dir}/${file}`, ...flags], {
    stdio: ["inherit", "inherit", "inherit"],
  });
  failed ||= exitCode !== 0;
}
process.exit(failed ? 1 : 0);
