/** The package's main job in a few seconds: a producer and a consumer, in separate processes. */
import { MessageQueue } from "bun-shm";
import { type Line, leftoversOf, startProgram } from "./support/children.ts";
import { report } from "./support/report.ts";
import { stopSignal } from "./support/stop.ts";

const MESSAGES = 12;
const INTERVAL_MS = 150;
/** When the demo gives up, in ms. */
const PATIENCE_MS = 8000;

const name = `/bun-shm-demo-${process.pid}`;
const common = ["--name", name, "--count", String(MESSAGES)];
const [sent, received]: [Line[], Line[]] = [[], []];
const began = performance.now();

console.log(`One producer and one consumer, over shared memory ${name}\n`);
const producer = startProgram("producer", [...common, "--interval", `${INTERVAL_MS}`], (line) => {
  if (line.event !== "produced") return;
  sent.push(line);
  console.log(`  producer │ Produced: ${line.text} (queue size: ${line.size})`);
});
const consumer = startProgram("consumer", [...common, "--wait", "5"], (line) => {
  if (line.event !== "consumed") return;
  received.push(line);
  console.log(`  consumer │ ${" ".repeat(29)}Consumed: ${line.text} (queue size: ${line.size})`);
});

let interrupted = false;
const stop = (): void => {
  interrupted = true;
  for (const { child } of [producer, consumer]) child.kill("SIGTERM");
};
stopSignal.addEventListener("abort", stop);
const watchdog = setTimeout(stop, PATIENCE_MS);
await Promise.all([producer.ended, consumer.ended]);
clearTimeout(watchdog);
const seconds = (performance.now() - began) / 1000;

const left = leftoversOf(name);
// A killed producer cannot remove its queue.
if (left.length > 0) MessageQueue.unlink(name);

const inOrder = received.map(({ text }) => text).join() === sent.map(({ text }) => text).join();
const problems = [
  interrupted && "it was interrupted, or took too long",
  producer.child.exitCode !== 0 && `the producer exited with ${producer.child.exitCode}`,
  consumer.child.exitCode !== 0 && `the consumer exited with ${consumer.child.exitCode}`,
  sent.length !== MESSAGES && `${sent.length} of ${MESSAGES} messages were sent`,
  !inOrder && `${received.length} messages came, or in another order`,
  left.length > 0 && `these were left in /dev/shm: ${left.join(", ")}`,
].filter((problem) => problem !== false);
const succeeded = problems.length === 0;
report({ sent, received, intervalMs: INTERVAL_MS, seconds, left, succeeded });
if (!succeeded) {
  console.error(`The demo failed: ${problems.join("; ")}`);
  process.exit(1);
}
console.log("The demo succeeded.");
