/** A queue's events, which reach the user's logger only where nothing of the queue is held. */
import type { MessageQueueEvent, MessageQueueOptions } from "./options.ts";

/**
 * The events of one handle.
 *
 * They are noted inside operations, whose locks and tokens a logger must not find taken, and
 * delivered when the operation has ended and has its outcome. So a logger may use or close the
 * queue, and what it throws changes no outcome.
 */
export class QueueLog {
  readonly #name: string;
  readonly #logger: MessageQueueOptions["logger"];
  readonly #noted: MessageQueueEvent[] = [];

  constructor(name: string, logger: MessageQueueOptions["logger"]) {
    this.#name = name;
    this.#logger = logger;
  }

  /** Notes an event; calls nobody. */
  note(type: MessageQueueEvent["type"], message: string): void {
    if (this.#logger !== undefined) this.#noted.push({ type, queue: this.#name, message });
  }

  /** Hands the noted events to the logger. What it throws is an uncaught exception. */
  deliver(): void {
    while (this.#noted.length > 0) {
      const event = this.#noted.shift()!;
      try {
        this.#logger!(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
