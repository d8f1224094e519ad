/** The object that the benchmarks of locks share, as `locks-peer.c` has it, and their processes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Mutex, Segment } from "../../src/index.ts";
import { compile, pinned } from "../support/report.ts";

export const COUNTER_OFFSET = 2048;
export const PLACES_OFFSET = 3072;
export const SIZE = 4096;

/** A process that takes lines and says lines. */
export class Peer {
  readonly #child: Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncGenerator<string>;

  constructor(command: string[]) {
    this.#child = Bun.spawn(command, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = linesOf(this.#child.stdout);
  }

  async line(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error("A program of the benchmark ended");
    return value;
  }

  go(): void {
    this.#child.stdin.write("go\n");
    void this.#child.stdin.flush();
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    const lines = (text + decoder.decode(bytes, { stream: true })).split("\n");
    text = lines.pop()!;
    yield* lines;
  }
}

/** One way to lock, in Bun or in C. */
export interface Way {
  readonly title: string;
  /** Starts a peer; on any core when that is undefined. */
  start(core: number | undefined, mode: string, ...args: (string | number)[]): Peer;
}

/** The object and the programs, until it is disposed of. */
export class Locks {
  readonly segment: Segment;
  readonly mutex: Mutex;
  /** The program in C; undefined without a compiler. */
  readonly program: string | undefined;
  readonly #directory: string;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "bun-shm-bench-"));
    this.program = compile("bench/locks/locks-peer.c", join(this.#directory, "locks-peer"));
    this.segment = Segment.create(`/bun-shm-bench-locks-${process.pid}`, { size: SIZE });
    this.mutex = Mutex.init(this.segment, 0);
    if (this.program !== undefined) Bun.spawnSync([this.program, "make", this.segment.name]);
  }

  /** This package's mutex in Bun, by one of its methods. */
  inBun(method: "lock" | "lockAsync"): Way {
    const command = [process.execPath, join(import.meta.dir, "peer.ts")];
    return this.#way(`Mutex.${method}`, command, method);
  }

  /** The ways in C; none without a compiler. */
  inC(): Way[] {
    if (this.program === undefined) return [];
    const command = [this.program];
    return [
      this.#way("bun_shm.h in C", command, "bun_shm"),
      this.#way("robust pthread mutex in C", command, "robust"),
      this.#way("flock in C", command, "flock"),
    ];
  }

  #way(title: string, command: string[], kind: string): Way {
    const start: Way["start"] = (core, mode, ...args) => {
      const words = [...command, mode, kind, this.segment.name, ...args.map(String)];
      return new Peer(core === undefined ? words : pinned(core, words));
    };
    return { title, start };
  }

  [Symbol.dispose](): void {
    this.segment.unlink();
    this.segment.close();
    rmSync(this.#directory, { recursive: true });
  }
}
