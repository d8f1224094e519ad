/** How the producer and the consumer print and wait. */
import type { MessageQueueEvent } from "bun-shm";
import { printLine } from "./stop.ts";

/** Prints something, as text or as one JSON object a line. */
export type Say = (text: string, details: Readonly<Record<string, unknown>>) => void;

export function sayAs(json: boolean): Say {
  return (text, details) => printLine(json ? JSON.stringify(details) : text);
}

/** Prints that a message went in or came out, when, and how many are in the queue now. */
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

/** Prints what went wrong to stderr, and ends the program with exit code 1. */
export function refuse(text: string, json: boolean): never {
  console.error(json ? JSON.stringify({ event: "error", message: text }) : text);
  process.exit(1);
}

/** Makes a logger that prints a queue's events to stderr. */
export function logTo(json: boolean): (event: MessageQueueEvent) => void {
  return (event) => {
    console.error(json ? JSON.stringify({ event: event.type, ...event }) : event.message);
  };
}

/** Waits for a while, or until the signal is aborted. */
export async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || durationMs <= 0) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, durationMs);
  const stop = (): void => resolve();
  signal.addEventListener("abort", stop, { once: true });
  await promise;
  signal.removeEventListener("abort", stop);
  clearTimeout(timer);
}

/** The time in ms since 1970, with fractions, which different processes can compare. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
