/** The one gate: format, lint, types, tests. Each part's own output, and one line at the end. */
const bun: string = process.execPath;

const gates: [string, string[]][] = [
  ["format", [bun, "fmt", "--check", "--no-script"]],
  ["lint", ["node_modules/.bin/oxlint", "--deny-warnings", "src", "test", "bench", "scripts"]],
  ["types", [bun, "check", "--no-script"]],
  ["tests", [bun, "test"]],
];

const failed: string[] = [];
for (const [name, command] of gates) {
  console.log(`\n— ${name}`);
  const { exitCode } = Bun.spawnSync(command, { stdio: ["inherit", "inherit", "inherit"] });
  if (exitCode !== 0) failed.push(name);
}

console.log(failed.length === 0 ? "\nAll gates passed" : `\nFailed: ${failed.join(", ")}`);
process.exit(failed.length === 0 ? 0 : 1);
