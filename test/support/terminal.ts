/** A real terminal for tests: tmux, where it is installed. */

/** tmux; undefined without it, and then the tests that need it are shown as skipped. */
export const TMUX: string | undefined = Bun.which("tmux") ?? undefined;

let terminals = 0;

/** One terminal, with a tmux server of its own. */
export class Terminal implements Disposable {
  readonly #socket = `bun-shm-test-${process.pid}-${++terminals}`;

  /** Runs a shell line in a terminal of this size. */
  constructor(line: string, columns: number, rows: number) {
    const size = ["-x", String(columns), "-y", String(rows)];
    this.#tmux("-f", "/dev/null", "new-session", "-d", ...size, "bash", "--norc", "-c", line);
  }

  #tmux(...args: string[]): string {
    const env = { ...process.env, TERM: "xterm-256color" };
    const { stdout, stderr, exitCode } = Bun.spawnSync([TMUX!, "-L", this.#socket, ...args], {
      env,
    });
    if (exitCode !== 0) throw new Error(`tmux ${args.join(" ")}: ${stderr.toString()}`);
    return stdout.toString();
  }

  /** What the screen shows now. */
  screen(): string {
    return this.#tmux("capture-pane", "-p");
  }

  type(...keys: string[]): void {
    this.#tmux("send-keys", ...keys);
  }

  resize(columns: number, rows: number): void {
    this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** Waits until the screen shows a text; the test's own timeout is the watchdog. */
  async shows(what: string | RegExp): Promise<string> {
    for (;;) {
      const screen = this.screen();
      if (typeof what === "string" ? screen.includes(what) : what.test(screen)) return screen;
      await Bun.sleep(50);
    }
  }

  [Symbol.dispose](): void {
    // The server is gone already when its last program has ended.
    Bun.spawnSync([TMUX!, "-L", this.#socket, "kill-server"]);
  }
}
