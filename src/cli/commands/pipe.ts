/** send and recv: pipes of the shell through shared memory. */
import { readSync } from "node:fs";
import { RingBuffer, Segment, codecs } from "../../index.ts";
import { type Outlet, RAW_TYPE, openInlet, openOutlet } from "../channel.ts";
import { MAX_COUNT, type Call, type Command } from "../command.ts";
import { EXIT, codeOf } from "../failure.ts";
import { COUNT_RECORDS } from "../options.ts";
import { complain, writeAll } from "../output.ts";

const NEWLINE = 10;
const BLOCK = 1 << 16;

/** Reads a block of standard input. @returns The number of bytes; 0 at its end. */
function readInput(block: Uint8Array): number {
  for (;;) {
    try {
      return readSync(0, block, 0, block.length, null);
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}

function sendRaw(outlet: Outlet): void {
  const block = new Uint8Array(Math.min(BLOCK, outlet.limit));
  for (;;) {
    const length = readInput(block);
    if (length === 0) return;
    outlet.write(block.subarray(0, length), RAW_TYPE);
    outlet.flush();
  }
}

/** Sends each line as a record, without its line end. */
function sendLines(outlet: Outlet): void {
  const block = new Uint8Array(BLOCK);
  // The bytes of a line whose end has not come yet.
  let rest = new Uint8Array(0);
  for (;;) {
    const length = readInput(block);
    if (length === 0) break;
    let bytes: Uint8Array = block.subarray(0, length);
    if (rest.length > 0) bytes = Buffer.concat([rest, bytes]);
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start);
      if (end < 0) break;
      outlet.write(bytes.subarray(start, end), 0);
      start = end + 1;
    }
    rest = bytes.slice(start);
    outlet.flush();
  }
  if (rest.length > 0) outlet.write(rest, 0);
  outlet.flush();
}

const CREATE_OPTIONS = {
  create: { text: "Make a ring of that name if there is nothing." },
  capacity: { value: "SIZE", text: "Bytes of a ring that is made; a power of two. Default 1M." },
  wait: { value: "SECONDS", text: "How long to wait for the object to appear; default 0." },
} as const;

/** Makes the object or waits for it, as the options say. An existing object stays as it is. */
function prepare(call: Call, name: string): void {
  const waitMs = call.milliseconds("wait") ?? 0;
  const capacity = call.bytes("capacity") ?? 1 << 20;
  if (!call.has("create")) {
    if (waitMs > 0) Segment.open(name, { waitMs }).close();
    return;
  }
  try {
    RingBuffer.create(name, { capacity, codec: codecs.raw }).close();
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

export const send: Command = {
  name: "send",
  summary:
    "Send standard input into a ring or queue, line by line or as bytes. Waits while it is full.",
  operands: "NAME",
  count: [1, 1],
  completes: "objects",
  options: {
    ...CREATE_OPTIONS,
    raw: { text: "Send bytes as they come, in blocks: fastest, and right for any file." },
  },
  examples: [
    ["journalctl -f | bun-shm send logs --create", "each line is a record"],
    ["bun-shm send files --create --raw < disk.img", "a file, byte for byte"],
  ],
  run(call: Call): number {
    const name = call.object;
    prepare(call, name);
    using outlet = openOutlet(name);
    if (call.has("raw")) sendRaw(outlet);
    else sendLines(outlet);
    return EXIT.ok;
  },
};

/** Collects small records for large writes. */
class Gatherer {
  readonly #block = new Uint8Array(BLOCK);
  #length = 0;

  add(bytes: Uint8Array, newline: boolean): void {
    const wanted = bytes.length + (newline ? 1 : 0);
    if (this.#length + wanted > BLOCK) this.flush();
    if (wanted > BLOCK / 2) {
      this.flush();
      writeAll(1, bytes);
      if (newline) writeAll(1, Uint8Array.of(NEWLINE));
      return;
    }
    this.#block.set(bytes, this.#length);
    this.#length += bytes.length;
    if (newline) this.#block[this.#length++] = NEWLINE;
  }

  flush(): void {
    if (this.#length > 0) writeAll(1, this.#block.subarray(0, this.#length));
    this.#length = 0;
  }
}

interface Until {
  readonly count: number;
  readonly idleMs: number;
  readonly follow: boolean;
}

/** @returns Whether it ended because nothing came in time. */
function receive(name: string, { count, idleMs, follow }: Until): boolean {
  using inlet = openInlet(name);
  const output = new Gatherer();
  let left = count;
  let seen = false;
  let last = performance.now();
  const take = (timeoutMs: number): number => {
    const got = inlet.read((bytes, type) => output.add(bytes, type !== RAW_TYPE), left, timeoutMs);
    output.flush();
    left -= got;
    if (got > 0) last = performance.now();
    return got;
  };
  while (left > 0) {
    if (take(idleMs) > 0) {
      seen = true;
      continue;
    }
    if (performance.now() - last >= idleMs) return true;
    if (follow) continue;
    const writing = inlet.hasWriter();
    // A writer's records are there before its role is free: one more look, and then it is the end.
    if (!writing && seen && take(0) === 0) return false;
    seen ||= writing;
  }
  return false;
}

export const recv: Command = {
  name: "recv",
  summary:
    "Take records out of a ring or queue to standard output. Ends when the ring's last producer " +
    "has gone and it is empty, as a pipe does.",
  operands: "NAME",
  count: [1, 1],
  completes: "objects",
  options: {
    ...CREATE_OPTIONS,
    count: COUNT_RECORDS,
    timeout: { value: "SECONDS", text: "End with exit code 1 when nothing came for so long." },
    follow: { short: "f", text: "Go on when the last producer has gone." },
    unlink: { text: "Remove the object at the end." },
  },
  examples: [
    ["bun-shm recv logs --follow | grep ERROR", "what another process sends"],
    ["bun-shm recv files --create --unlink > disk.img", "the other end of `send --raw`"],
  ],
  run(call: Call): number {
    const name = call.object;
    const idleMs = call.milliseconds("timeout") ?? Number.POSITIVE_INFINITY;
    const count = call.count("count") ?? MAX_COUNT;
    prepare(call, name);
    const idle = receive(name, { count, idleMs, follow: call.has("follow") });
    if (call.has("unlink")) Segment.unlink(name);
    if (idle) complain(`Nothing came out of ${name} for ${idleMs / 1000} s`);
    return idle ? EXIT.no : EXIT.ok;
  },
};
