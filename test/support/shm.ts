/** Runs the command bun-shm as a real process. */
import type { Child, Outcome } from "./process.ts";
import { finished, runBun, spawnBun } from "./process.ts";

export const MAIN = "src/cli/main.ts";

/** Runs `bun-shm …` to its end. */
export function shm(...args: string[]): Promise<Outcome> {
  return runBun(MAIN, ...args);
}

/** Runs `bun-shm … --json` and parses what it prints. */
export async function shmJson<T>(...args: string[]): Promise<T> {
  const { stdout, stderr } = await shm(...args, "--json");
  if (stderr !== "") throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

/** Starts `bun-shm …`. */
export function spawnShm(...args: string[]): Child {
  return spawnBun(MAIN, ...args);
}

/** Runs a shell line in which `bun-shm` is the command under test. */
export function shell(line: string): Promise<Outcome> {
  const script = `bun-shm() { "${process.execPath}" ${MAIN} "$@"; }\n${line}`;
  const child = Bun.spawn(["bash", "-c", script], {
    stdio: ["pipe", "pipe", "pipe"],
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, NO_COLOR: "1" },
  });
  child.stdin.end();
  return finished(child);
}

/** Reads a child's standard output until `marker` has appeared. */
export async function outputUntil(child: Child, marker: string): Promise<string> {
  let text = "";
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  while (!text.includes(marker)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
  return text;
}

/** Looks repeatedly until a condition holds; the test's own timeout is the watchdog. */
export async function eventually<T>(look: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await Bun.sleep(20);
  }
}
