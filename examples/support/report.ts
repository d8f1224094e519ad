/** What the demo prints at its end. */
import type { Line } from "./children.ts";

/** What happened. */
export interface Outcome {
  readonly sent: readonly Line[];
  readonly received: readonly Line[];
  readonly intervalMs: number;
  readonly seconds: number;
  /** The files that are left in /dev/shm. */
  readonly left: readonly string[];
  readonly succeeded: boolean;
}

/** Prints how many messages arrived, at what rate, and how late. */
export function report({ sent, received, intervalMs, seconds, left, succeeded }: Outcome): void {
  const sentAt = new Map(sent.map(({ text, atMs }) => [text, atMs]));
  const latenciesMs = received
    .map(({ text, atMs }) => atMs - sentAt.get(text)!)
    .sort((a, b) => a - b);
  const median = latenciesMs[latenciesMs.length >> 1];
  const latency = median === undefined ? "unknown" : `${median.toFixed(2)} ms`;
  const rate = (received.length / seconds).toFixed(1);
  console.log(`
  messages   ${received.length} of ${sent.length}, ${succeeded ? "each once and in order" : "see below"}
  rate       ${rate} a second, with one every ${intervalMs} ms intended
  latency    ${latency}, median, from before enqueue to after dequeue
  time       ${seconds.toFixed(1)} s
  /dev/shm   ${left.length === 0 ? "as before" : "something is left"}
`);
}
