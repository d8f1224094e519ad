/** Real child processes for tests: Bun programs and C programs, under a watchdog. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mkdtempSync } from "node:fs";
import type { Subprocess } from "bun";

/** How long a child may take before the test calls it hung, in ms. Never a measure of speed. */
export const WATCHDOG_MS = 60_000;

/** The runtime that children use: BUN_SHM_TEST_BUN where it starts through a wrapper. */
export const BUN: string = process.env["BUN_SHM_TEST_BUN"] ?? process.execPath;

export type Child = Subprocess<"pipe", "pipe", "pipe">;

/** Starts a Bun program; `program` is a path relative to the repository. */
export function spawnBun(program: string, ...args: string[]): Child {
  const path = join(import.meta.dir, "../..", program);
  return Bun.spawn([BUN, path, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
}

export interface Outcome {
  readonly exitCode: number | null;
  readonly signal: Child["signalCode"];
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits for a child's end; if the watchdog's time passes, kills it, and throws with its output. */
export async function finished(child: Child, watchdogMs: number = WATCHDOG_MS): Promise<Outcome> {
  let barked = false;
  const watchdog = setTimeout(() => {
    barked = true;
    child.kill("SIGKILL");
  }, watchdogMs);
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  clearTimeout(watchdog);
  if (barked) throw new Error(`Child hung for ${watchdogMs} ms.\n${stdout}\n${stderr}`);
  return { exitCode: child.exitCode, signal: child.signalCode, stdout, stderr };
}

/** Runs a Bun program to its end. */
export function runBun(program: string, ...args: string[]): Promise<Outcome> {
  return finished(spawnBun(program, ...args));
}

/** The C compiler; undefined without one, and then the tests that need it are shown as skipped. */
export const C_COMPILER: string | undefined =
  Bun.env["BUN_SHM_TEST_CC"] ??
  Bun.which("cc") ??
  Bun.which("gcc") ??
  Bun.which("clang") ??
  undefined;

let buildDirectory: string | undefined;

/** Compiles a C program (a path relative to the repository) and returns the executable's path. */
export function compileC(source: string, flags: readonly string[] = []): string {
  if (C_COMPILER === undefined) throw new Error("There is no C compiler");
  buildDirectory ??= mkdtempSync(join(tmpdir(), "bun-shm-test-"));
  const output = join(buildDirectory, source.replaceAll(/\W/g, "_"));
  const path = join(import.meta.dir, "../..", source);
  const command = [C_COMPILER, "-O2", "-Wall", "-Wextra", "-Werror", ...flags, "-o", output, path];
  const { exitCode, stderr } = Bun.spawnSync([...command, "-pthread", "-lrt"]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}\n${stderr}`);
  return output;
}
