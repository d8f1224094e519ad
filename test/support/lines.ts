/** The lines that a child prints, as a test waits for them. */
import { type Child, WATCHDOG_MS } from "./process.ts";

/** All that a child has printed so far. */
export class Lines {
  #text = "";
  readonly #done: Promise<void>;

  constructor(child: Child) {
    this.#done = (async () => {
      for await (const chunk of child.stdout) this.#text += Buffer.from(chunk).toString();
    })();
  }

  /** Waits until the pattern was seen `count` times; its first groups. */
  async seen(pattern: RegExp, count = 1): Promise<string[]> {
    const deadline = performance.now() + WATCHDOG_MS;
    for (;;) {
      const found = [...this.#text.matchAll(pattern)].map((match) => match[1]!);
      if (found.length >= count) return found;
      if (performance.now() > deadline) throw new Error(`No ${pattern} in:\n${this.#text}`);
      await Bun.sleep(5);
    }
  }

  get ended(): Promise<void> {
    return this.#done;
  }
}
