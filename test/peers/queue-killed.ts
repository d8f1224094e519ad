/**
 * Does one operation on a queue, and is killed at one of its steps, or prints them all:
 * NAME enqueue|dequeue STEP|trace.
 */
import { MessageQueue } from "../../src/index.ts";
import type { Steps } from "./kill-at-step.ts";

const steps = globalThis as unknown as Steps;
const [name, operation, step] = process.argv.slice(2);
const queue = MessageQueue.open(name!);
const trace = step === "trace" ? steps.traceSteps() : undefined;
if (trace === undefined) steps.killAtStep(Number(step));
if (operation === "enqueue") queue.enqueue("victim");
else queue.dequeue({ timeoutMs: 100 });
steps.killAtStep(0);
console.log(trace === undefined ? "survived" : JSON.stringify(trace));
queue.close();
