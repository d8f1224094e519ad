/** The consumer of the classic program: takes out what a producer, in Bun or in C, puts in. */
import { MessageQueue, SystemError } from "../src/index.ts";
import { isAbort, logTo, pause, readOptions, refuse, sayAs, stopSignal } from "./support.ts";

const HELP = `Usage: bun run consumer [options]

Takes messages out of a queue until it is stopped (Ctrl-C), has as many as --count says, or the
producer has removed the queue.

  --name NAME        the queue (default /messagequeue)
  --count N          messages to take (default: no end)
  --interval MS      milliseconds between two messages (default 0)
  --wait SECONDS     how long to wait for a producer (default 0)
  --json             one JSON object a line
  --help             this text`;

const options = readOptions("consumer", HELP);
const { name, json } = options;
const say = sayAs(json);
const stopped = stopSignal();
const intervalMs = process.argv.some((word) => word.startsWith("--interval"))
  ? options.intervalMs
  : 0;

async function open(waitMs: number): Promise<MessageQueue | undefined> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      return MessageQueue.open(name, { logger: logTo(json) });
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== "ENOENT") throw error;
      if (stopped.aborted || performance.now() >= deadline) return undefined;
      await pause(20, stopped);
    }
  }
}

try {
  let queue = await open(options.waitMs);
  if (queue === undefined) {
    if (stopped.aborted) process.exit(0);
    refuse("Producer not running. Start producer first.", json);
  }
  try {
    for (let taken = 0; taken < options.count && !stopped.aborted;) {
      const text = await queue.dequeueAsync({ timeoutMs: 1000, signal: stopped });
      if (text === undefined) {
        if (!queue.unlinked) continue;
        // Nothing in it, and nobody can find it any more: its producer has gone. Another may be there.
        const next = await open(0);
        if (next === undefined) break;
        queue.close();
        queue = next;
        continue;
      }
      const atMs = performance.timeOrigin + performance.now();
      const { size } = queue;
      taken++;
      say(`Consumed: ${text} (queue size: ${size})`, { event: "consumed", text, size, atMs });
      await pause(intervalMs, stopped);
    }
  } catch (error) {
    if (!isAbort(error, stopped)) throw error;
  }
  say("Exiting", { event: "exiting", stats: queue.stats() });
  queue.close();
} catch (error) {
  refuse((error as Error).message, json);
}
