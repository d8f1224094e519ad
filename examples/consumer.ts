/** The consumer of the classic program: takes out what a producer, in Bun or in C, puts in. */
import { MessageQueue, SystemError } from "bun-shm";
import { readOptions } from "./support/options.ts";
import { logTo, nowMs, pause, refuse, sayAs, sayMessage } from "./support/program.ts";
import { stopSignal as signal } from "./support/stop.ts";

const HELP = `Usage: bun run consumer [options]

Takes messages out of a queue until it is stopped (Ctrl-C), has as many as --count says, or the
producer has removed the queue.

  --name NAME        the queue (default /messagequeue)
  --count N          messages to take (default: no end)
  --interval MS      milliseconds between two messages (default 0)
  --wait SECONDS     how long to wait for a producer (default 0)
  --json             one JSON object a line
  --help             this text`;

const { name, json, count, intervalMs, waitMs } = readOptions("consumer", HELP, 0);
const say = sayAs(json);

/** Opens the queue once it exists; unlike { waitMs }, this can be stopped meanwhile. */
async function open(patienceMs: number): Promise<MessageQueue | undefined> {
  for (const deadline = nowMs() + patienceMs; ; await pause(20, signal)) {
    try {
      return MessageQueue.open(name, { logger: logTo(json) });
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== "ENOENT") throw error;
      if (signal.aborted || nowMs() >= deadline) return undefined;
    }
  }
}

try {
  let queue = await open(waitMs);
  if (queue === undefined && signal.aborted) process.exit();
  if (queue === undefined) refuse("Producer not running. Start producer first.", json);
  try {
    for (let taken = 0; taken < count && !signal.aborted;) {
      const text = await queue.dequeueAsync({ timeoutMs: 1000, signal });
      if (text !== undefined) {
        sayMessage(say, "Consumed", text, queue.size, nowMs());
        taken++;
        await pause(intervalMs, signal);
      } else if (queue.unlinked) {
        // The producer has removed the queue; another producer may have made a new one.
        const next = await open(0);
        if (next === undefined) break;
        queue.close();
        queue = next;
      }
    }
  } catch (error) {
    if (error !== signal.reason) throw error;
  }
  say("Exiting", { event: "exiting", stats: queue.stats() });
  queue.close();
} catch (error) {
  refuse((error as Error).message, json);
}
