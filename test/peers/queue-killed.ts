/** Does one operation on a queue, and is killed at a step of it: NAME enqueue|dequeue STEP. */
import { MessageQueue } from "../../src/index.ts";

const [name, operation, step] = process.argv.slice(2);
const queue = MessageQueue.open({ name: name! });
(globalThis as unknown as { killAtStep(step: number): void }).killAtStep(Number(step));
if (operation === "enqueue") queue.enqueue("victim");
else queue.dequeue({ timeoutMs: 1 });
(globalThis as unknown as { killAtStep(step: number): void }).killAtStep(0);
console.log("survived");
queue.close();
