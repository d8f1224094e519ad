/** How the package's checks run, and how they are counted. */

/** How a command ended. */
export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a command runs. */
export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** When a command counts as hung, in ms. */
const PATIENCE_MS = 300_000;

// The variables that a package manager sets for this program would mislead those that it runs.
const MANAGERS = /^(npm_|NODE$|INIT_CWD$)/;
const env: Readonly<Record<string, string | undefined>> = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !MANAGERS.test(name)),
);

/** Runs a command to its end. */
export async function run(command: readonly string[], options: RunOptions): Promise<Ran> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd,
    env: { ...env, NO_COLOR: "1", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: PATIENCE_MS,
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, stdout, stderr };
}

/** Runs a command that must succeed. @returns What it wrote to stdout. */
export async function mustRun(command: readonly string[], options: RunOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await run(command, options);
  if (exitCode === 0) return stdout;
  throw new Error(`${command.join(" ")} ended with exit code ${exitCode}\n${stdout}${stderr}`);
}

/** Fails the check unless something holds. @throws Error with the text `otherwise`. */
export function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}

let passed = 0;
let failed = 0;

/** Runs one check, prints its outcome, and goes on in any case. */
export async function check(name: string, body: () => unknown): Promise<void> {
  try {
    await body();
    passed++;
    console.log(`(pass) ${name}`);
  } catch (error) {
    failed++;
    console.log(`(fail) ${name}\n${(error as Error).message.replaceAll(/^/gm, "    ")}`);
  }
}

/** Prints the sums in the words of `bun test`, and ends the program. */
export function end(): never {
  console.log(`\n ${passed} pass\n ${failed} fail`);
  process.exit(failed === 0 ? 0 : 1);
}
