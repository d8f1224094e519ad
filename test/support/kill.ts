/** Real SIGKILLs at random instants, and a soak form of the same tests. */
import { type Child, WATCHDOG_MS } from "./process.ts";
import type { Random } from "./random.ts";

/** Whether the tests run in their long form. */
export const SOAK: boolean = Bun.env["BUN_SHM_SOAK"] !== undefined;

/** Waits for the first line that a child prints; throws its output when it ends without one. */
export async function firstLine(child: Child): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const watchdog = setTimeout(() => child.kill("SIGKILL"), WATCHDOG_MS);
  const reader = child.stdout.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (value !== undefined) text += decoder.decode(value, { stream: true });
      if (text.includes("\n")) return text.slice(0, text.indexOf("\n"));
      if (done) throw new Error(`Child ended: ${text}${await child.stderr.text()}`);
    }
  } finally {
    clearTimeout(watchdog);
    reader.releaseLock();
  }
}

/**
 * Keeps a few children running, and kills each at a random instant after it printed its first line.
 * A child that ends by itself has found a fault, and its output is thrown. A child that prints its
 * first line only after it has done its work once is sure to have worked before it dies.
 *
 * @returns How many were killed, counting only those that SIGKILL ended.
 */
export async function killSome(
  spawn: () => Child,
  options: { random: Random; children: number; kills: number; soakKills: number },
): Promise<number> {
  const { random, children } = options;
  let left = SOAK ? options.soakKills : options.kills;
  let killed = 0;
  const chain = async (): Promise<void> => {
    while (left-- > 0) {
      const child = spawn();
      await firstLine(child);
      await Promise.race([child.exited, Bun.sleep(random() * 15)]);
      child.kill("SIGKILL");
      await child.exited;
      if (child.signalCode !== "SIGKILL") {
        throw new Error(`Child ended: ${await child.stdout.text()}${await child.stderr.text()}`);
      }
      killed++;
    }
  };
  await Promise.all(Array.from({ length: children }, chain));
  const expected = SOAK ? options.soakKills : options.kills;
  if (killed !== expected) throw new Error(`${killed} were killed instead of ${expected}`);
  return killed;
}
