/** The producer of the classic program: makes the queue, and fills it. */
import { MessageQueue, SystemError } from "bun-shm";
import { readOptions } from "./support/options.ts";
import { logTo, nowMs, pause, refuse, sayAs, sayMessage } from "./support/program.ts";
import { atExit, stopSignal as signal } from "./support/stop.ts";

const HELP = `Usage: bun run producer [options]

Makes a message queue and puts a message in every half second, until it is stopped (Ctrl-C) or has
sent what --count says. Then it removes the queue.

  --name NAME        the queue (default /messagequeue)
  --count N          messages to send (default: no end)
  --interval MS      milliseconds between two messages (default 500)
  --message TEXT     what the messages begin with (default "Message")
  --json             one JSON object a line
  --help             this text`;

const { name, json, count, message, intervalMs } = readOptions("producer", HELP, 500);
const [say, logger] = [sayAs(json), logTo(json)];

function create(): MessageQueue {
  try {
    return MessageQueue.create(name, { logger });
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "EEXIST") throw error;
    if (!MessageQueue.removeLeftovers(name)) {
      refuse(`Another producer is running on ${name}. Stop it first, or choose a --name.`, json);
    }
    say("Removed leftovers of a producer that died", { event: "leftovers", name });
    return MessageQueue.create(name, { logger });
  }
}

try {
  using queue = create();
  atExit(() => queue.closed || queue.unlink());
  try {
    for (let number = 0; number < count && !signal.aborted; number++) {
      const text = `${message} #${number} from PID ${process.pid}`;
      const atMs = nowMs();
      await queue.enqueueAsync(text, { signal });
      sayMessage(say, "Produced", text, queue.size, atMs);
      await pause(intervalMs, signal);
    }
    // Consumers get time to empty the queue, for as long as they keep taking messages out.
    for (let before = queue.size, idle = 0; before > 0 && idle < 150 && !signal.aborted; idle++) {
      await pause(20, signal);
      if (queue.size < before) idle = 0;
      before = queue.size;
    }
  } catch (error) {
    if (error !== signal.reason) throw error;
  } finally {
    say("Exiting", { event: "exiting", stats: queue.stats() });
    if (queue.unlink()) say("Removed shared resources", { event: "removed", name });
  }
} catch (error) {
  refuse((error as Error).message, json);
}
