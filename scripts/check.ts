/**
 * The one gate: format, lint, types, package, tests. Prints `N passed, N failed, N skipped` last.
 */
const BUN: string = process.execPath;
const NPM: string | null = Bun.which("npm");

/** Runs one check, and shows its output. @returns The output, and whether the check passed. */
async function runGate(
  name: string,
  command: string[],
): Promise<{ passed: boolean; text: string }> {
  console.log(`\n— ${name}`);
  const gate = Bun.spawn(command, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const show = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      process.stdout.write(chunk);
      text += decoder.decode(chunk, { stream: true });
    }
  };
  await Promise.all([show(gate.stdout), show(gate.stderr)]);
  return { passed: (await gate.exited) === 0, text };
}

const linted: string[] = ["src", "adapters", "test", "bench", "scripts", "examples"];
const gates: [string, string[]][] = [
  ["format", [BUN, "fmt", "--check", "--no-script"]],
  ["lint", ["node_modules/.bin/oxlint", "--deny-warnings", ...linted]],
  ["types", [BUN, "check", "--no-script"]],
];

let passed = 0;
let failed = 0;
let skipped = 0;
for (const [name, command] of gates) {
  if ((await runGate(name, command)).passed) passed++;
  else failed++;
}

// The tests run as the README says, with npm if it is installed.
const counted: [string, string[]][] = [
  ["package", [BUN, "scripts/package.ts"]],
  ["tests", [NPM ?? BUN, "run", "test"]],
];
for (const [name, command] of counted) {
  const ran = await runGate(name, command);
  // The sums come last, after the numbers of each file.
  const count = (what: string): number =>
    Number([...ran.text.matchAll(new RegExp(`^\\s*(\\d+) ${what}$`, "gm"))].at(-1)?.[1] ?? 0);
  passed += count("pass");
  failed += count("fail");
  skipped += count("skip");
  // An error outside of all tests (in a hook, or while a file loads) fails the run, uncounted.
  if (!ran.passed && count("fail") === 0) failed++;
}

console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
