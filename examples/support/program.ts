/** What the producer and the consumer share: how they speak, wait and stop. */
import type { MessageQueueEvent } from "bun-shm";

/** Aborted by SIGINT and SIGTERM. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => controller.abort());
  }
  return controller.signal;
}

/** Says something: as text, or as one JSON object a line. */
export type Say = (text: string, details: Readonly<Record<string, unknown>>) => void;

export function sayAs(json: boolean): Say {
  return (text, details) => console.log(json ? JSON.stringify(details) : text);
}

/** Says that a message went in or came out, how many are queued now, and when it was. */
export function sayMessage(
  say: Say,
  verb: "Produced" | "Consumed",
  text: string,
  size: number,
  atMs: number,
): void {
  const details = { event: verb.toLowerCase(), text, size, atMs };
  say(`${verb}: ${text} (queue size: ${size})`, details);
}

/** Says what goes wrong on stderr, and ends the program. */
export function refuse(text: string, json: boolean): never {
  console.error(json ? JSON.stringify({ event: "error", message: text }) : text);
  process.exit(1);
}

/** Queue events on stderr. */
export function logTo(json: boolean): (event: MessageQueueEvent) => void {
  return (event) => {
    console.error(json ? JSON.stringify({ event: event.type, ...event }) : event.message);
  };
}

/** Waits, unless stopped. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || milliseconds <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  const stop = (): void => resolve();
  signal.addEventListener("abort", stop, { once: true });
  await promise;
  signal.removeEventListener("abort", stop);
  clearTimeout(timer);
}

/** The time, in ms, as processes can compare it. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
