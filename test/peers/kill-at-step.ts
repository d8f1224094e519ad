/**
 * A preload: counts every access to shared words and every semaphore call, and kills the process
 * before a chosen one. What others see changes nowhere else. `globalThis.killAtStep(step)` starts the count.
 */
import { plugin } from "bun";
import { readFileSync } from "node:fs";

/** SIGKILL, or what the environment says. */
const signal = process.env["BUN_SHM_STEP_SIGNAL"] ?? "SIGKILL";
let left = 0;
const global = globalThis as { step?: () => void; killAtStep?: (step: number) => void };

global.killAtStep = (step) => (left = step);
global.step = () => {
  if (left > 0 && --left === 0) process.kill(process.pid, signal);
};

plugin({
  name: "kill-at-step",
  setup(build) {
    build.onLoad({ filter: /src\/(memory\/atomics|libc\/semaphore)\.ts$/ }, ({ path }) => {
      const wrappers: string[] = [];
      const source = readFileSync(path, "utf8").replace(/^export function (\w+)/gm, (_, name) => {
        wrappers.push(
          `export const ${name} = (...args) => {
             globalThis.step();
             return real_${name}(...args);
           };`,
        );
        return `function real_${name}`;
      });
      return { contents: `${source}\n${wrappers.join("\n")}`, loader: "ts" };
    });
  },
});
