/** The main job in a few seconds: one producer and one consumer, as separate processes. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { MessageQueue } from "../src/index.ts";

const MESSAGES = 12;
const INTERVAL_MS = 150;
/** When the demo gives up, in ms. */
const PATIENCE_MS = 8000;

const name = `/bun-shm-demo-${process.pid}`;
const mine = (): string[] => {
  try {
    return readdirSync("/dev/shm").filter((file) => file.includes(name.slice(1)));
  } catch {
    return [];
  }
};

interface Line {
  readonly event: string;
  readonly text?: string;
  readonly size?: number;
  readonly atMs?: number;
}

function start(program: string, ...args: string[]): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const path = join(import.meta.dir, `${program}.ts`);
  return Bun.spawn([process.execPath, path, "--name", name, "--json", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function listen(
  child: Bun.Subprocess<"ignore", "pipe", "inherit">,
  onLine: (line: Line) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of child.stdout) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) onLine(JSON.parse(line) as Line);
  }
}

const began = performance.now();
const sentAt = new Map<string, number>();
const sent: string[] = [];
const received: string[] = [];
const receivedAt = new Map<string, number>();

console.log(`One producer and one consumer, over shared memory ${name}\n`);
const producer = start("producer", "--count", `${MESSAGES}`, "--interval", `${INTERVAL_MS}`);
const consumer = start("consumer", "--count", `${MESSAGES}`, "--wait", "5");

let interrupted = false;
const stop = (): void => {
  interrupted = true;
  producer.kill("SIGTERM");
  consumer.kill("SIGTERM");
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
const watchdog = setTimeout(stop, PATIENCE_MS);

await Promise.all([
  listen(producer, ({ event, text, size, atMs }) => {
    if (event !== "produced") return;
    sent.push(text!);
    sentAt.set(text!, atMs!);
    console.log(`  producer │ Produced: ${text} (queue size: ${size})`);
  }),
  listen(consumer, ({ event, text, size, atMs }) => {
    if (event !== "consumed") return;
    received.push(text!);
    receivedAt.set(text!, atMs!);
    console.log(
      `  consumer │                              Consumed: ${text} (queue size: ${size})`,
    );
  }),
  producer.exited,
  consumer.exited,
]);
clearTimeout(watchdog);
const seconds = (performance.now() - began) / 1000;

const left = mine();
// What a killed producer could not remove.
if (left.length > 0) MessageQueue.unlink(name);

const problems: string[] = [];
if (interrupted) problems.push("it was interrupted, or took too long");
if (producer.exitCode !== 0) problems.push(`the producer exited with ${producer.exitCode}`);
if (consumer.exitCode !== 0) problems.push(`the consumer exited with ${consumer.exitCode}`);
if (sent.length !== MESSAGES) problems.push(`${sent.length} of ${MESSAGES} messages were sent`);
if (received.join("\n") !== sent.join("\n")) {
  problems.push(`${received.length} messages came, or in another order`);
}
if (left.length > 0) problems.push(`these were left in /dev/shm: ${left.join(", ")}`);

const latenciesMs = sent
  .map((text) => receivedAt.get(text)! - sentAt.get(text)!)
  .sort((a, b) => a - b);
const median = latenciesMs[latenciesMs.length >> 1];
console.log(`
  messages   ${received.length} of ${sent.length}, ${problems.length === 0 ? "each once and in order" : "see below"}
  rate       ${(received.length / seconds).toFixed(1)} a second, one every ${INTERVAL_MS} ms was asked for
  latency    ${median === undefined ? "unknown" : `${median.toFixed(2)} ms`}, median, from before enqueue to after dequeue
  time       ${seconds.toFixed(1)} s
  /dev/shm   ${left.length === 0 ? "as before" : "something was left"}
`);
if (problems.length > 0) {
  console.error(`The demo failed: ${problems.join("; ")}`);
  process.exit(1);
}
console.log("The demo succeeded.");
