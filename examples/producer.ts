/** The producer of the classic program: makes the queue, and fills it. */
import { MessageQueue, SystemError } from "../src/index.ts";
import { isAbort, logTo, pause, readOptions, refuse, sayAs, stopSignal } from "./support.ts";

const HELP = `Usage: bun run producer [options]

Makes a message queue and puts a message in every half second, until it is stopped (Ctrl-C) or has
sent what --count says. Then it removes the queue.

  --name NAME        the queue (default /messagequeue)
  --count N          messages to send (default: no end)
  --interval MS      milliseconds between two messages (default 500)
  --message TEXT     what the messages begin with (default "Message")
  --json             one JSON object a line
  --help             this text`;

const options = readOptions("producer", HELP);
const { name, json } = options;
const say = sayAs(json);
const stopped = stopSignal();

function create(): MessageQueue {
  const logger = logTo(json);
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

/** Gives consumers the time to empty the queue, as long as they do. */
async function drained(queue: MessageQueue): Promise<void> {
  for (let idleMs = 0, before = queue.size; before > 0 && idleMs < 3000 && !stopped.aborted;) {
    await pause(20, stopped);
    idleMs = queue.size < before ? 0 : idleMs + 20;
    before = queue.size;
  }
}

try {
  using queue = create();
  try {
    for (let number = 0; number < options.count && !stopped.aborted; number++) {
      const text = `${options.message} #${number} from PID ${process.pid}`;
      const atMs = performance.timeOrigin + performance.now();
      const sent = await queue.enqueueAsync(text, { signal: stopped });
      const { size } = queue;
      if (sent) {
        say(`Produced: ${text} (queue size: ${size})`, { event: "produced", text, size, atMs });
      }
      await pause(options.intervalMs, stopped);
    }
    await drained(queue);
  } catch (error) {
    if (!isAbort(error, stopped)) throw error;
  } finally {
    say("Exiting", { event: "exiting", stats: queue.stats() });
    if (queue.unlink()) say("Removed shared resources", { event: "removed", name });
  }
} catch (error) {
  refuse((error as Error).message, json);
}
