/**
 * A preload that counts every access to shared words and every call of a semaphore or futex, and
 * kills the process before a chosen one; nothing else can change what other processes see.
 * `globalThis.killAtStep(step)` starts the count, and `globalThis.traceSteps()` starts a list of
 * the steps to choose from.
 */
import { plugin } from "bun";
import { readFileSync } from "node:fs";

/** SIGKILL, or the signal that the environment names. */
const signal = process.env["BUN_SHM_STEP_SIGNAL"] ?? "SIGKILL";
let left = 0;
let trace: string[] | undefined;

/** The globals that this preload adds to the program. */
export interface Steps {
  step(name: string): void;
  /** Starts counting now; 0 stops it. */
  killAtStep(step: number): void;
  /** Lists the functions that are called from now on. */
  traceSteps(): readonly string[];
}

const global = globalThis as unknown as Steps;

global.killAtStep = (step) => (left = step);
global.traceSteps = () => (trace = []);
global.step = (name) => {
  trace?.push(name);
  if (left > 0 && --left === 0) process.kill(process.pid, signal);
};

plugin({
  name: "kill-at-step",
  setup(build) {
    build.onLoad({ filter: /src\/(memory\/atomics|libc\/(semaphore|futex))\.ts$/ }, ({ path }) => {
      const wrappers: string[] = [];
      const source = readFileSync(path, "utf8").replace(/^export function (\w+)/gm, (_, name) => {
        wrappers.push(
          `export const ${name} = (...args) => {
             globalThis.step("${name}");
             return real_${name}(...args);
           };`,
        );
        return `function real_${name}`;
      });
      return { contents: `${source}\n${wrappers.join("\n")}`, loader: "ts" };
    });
  },
});
