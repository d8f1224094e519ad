/** send and recv: pipes of the shell through shared memory. */
import { readSync } from "node:fs";
import { RingBuffer, Segment, codecs } from "../../index.ts";
import {
  type Inlet,
  type Outlet,
  RAW_TYPE,
  type Sink,
  describeRecord,
  openInlet,
  openOutlet,
} from "../channel.ts";
import { MAX_COUNT, type Call, type Command } from "../command.ts";
import { EXIT, Failure, codeOf } from "../failure.ts";
import { ANYBODYS, COUNT_RECORDS, ownersOf } from "../options.ts";
import { complain, printJson, showable, writeAll } from "../output.ts";
import { beforeExit } from "../signals.ts";

const NEWLINE = 10;
const BLOCK = 1 << 16;
/** What a record takes of a ring besides its bytes, at least. */
const HEADER_LENGTH = 8;

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

/** How much was sent. */
interface Sent {
  readonly records: number;
  readonly bytes: number;
}

function sendRaw(outlet: Outlet): Sent {
  const block = new Uint8Array(Math.min(BLOCK, outlet.limit));
  let [records, bytes] = [0, 0];
  for (;;) {
    const length = readInput(block);
    if (length === 0) return { records, bytes };
    outlet.write(block.subarray(0, length), RAW_TYPE);
    outlet.flush();
    records++;
    bytes += length;
  }
}

/** Sends each line as a record, without its line end. */
class LineSender {
  readonly #outlet: Outlet;
  /** The parts of a line whose end has not come yet; together at most as long as a record. */
  #parts: Uint8Array[] = [];
  #length = 0;
  #records = 0;
  #bytes = 0;

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** Sends the lines that end in a block, and keeps what follows. @throws Failure. */
  add(block: Uint8Array): void {
    let start = 0;
    for (;;) {
      const end = block.indexOf(NEWLINE, start);
      if (end < 0) break;
      this.#send(block.subarray(start, end));
      start = end + 1;
    }
    if (start < block.length) this.#keep(block.slice(start));
    this.#outlet.flush();
  }

  /** Sends a last line that has no end. @throws Failure. */
  end(): Sent {
    if (this.#length > 0) this.#send(new Uint8Array(0));
    this.#outlet.flush();
    return { records: this.#records, bytes: this.#bytes };
  }

  #keep(part: Uint8Array): void {
    this.#length += part.length;
    const { limit } = this.#outlet;
    if (this.#length > limit) {
      const way = "--raw sends bytes of any length, in blocks, into a ring";
      this.#refuse(`it has more than ${limit} bytes, the most that a record can have. ${way}`);
    }
    this.#parts.push(part);
  }

  #send(last: Uint8Array): void {
    this.#keep(last);
    const line = this.#parts.length === 1 ? last : Buffer.concat(this.#parts);
    const refusal = this.#outlet.refusal(line);
    if (refusal !== undefined) this.#refuse(refusal);
    this.#outlet.write(line, 0);
    this.#parts = [];
    this.#length = 0;
    this.#records++;
    this.#bytes += line.length;
  }

  #refuse(why: string): never {
    // What was sent before it stays sent.
    this.#outlet.flush();
    const what = `Cannot send line ${this.#records + 1} into ${this.#outlet.what}`;
    throw new Failure(EXIT.failed, `${what}: ${why}`);
  }
}

function sendLines(outlet: Outlet): Sent {
  const sender = new LineSender(outlet);
  const block = new Uint8Array(BLOCK);
  for (;;) {
    const length = readInput(block);
    if (length === 0) return sender.end();
    sender.add(block.subarray(0, length));
  }
}

const CREATE_OPTIONS = {
  create: { text: "Make a ring of that name if there is nothing." },
  capacity: { value: "SIZE", text: "Bytes of a ring that is made; a power of two. Default 1M." },
  wait: { value: "SECONDS", text: "How long to wait for the object to appear; default 0." },
} as const;

/** Waits for the object, if it is not to be made. */
function waitFor(call: Call, name: string): void {
  const waitMs = call.milliseconds("wait") ?? 0;
  if (waitMs > 0 && !call.has("create")) Segment.open(name, { waitMs, ...ANYBODYS }).close();
}

/** Makes the object, if it is to be made. An existing one stays as it is. */
function make(call: Call, name: string): void {
  const capacity = call.bytes("capacity") ?? 1 << 20;
  if (!call.has("create")) return;
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
    waitFor(call, name);
    make(call, name);
    using outlet = openOutlet(name, ownersOf(call));
    const sent = call.has("raw") ? sendRaw(outlet) : sendLines(outlet);
    if (call.has("json")) printJson({ name, ...sent });
    return EXIT.ok;
  },
};

/** Collects small records for large writes. */
class Gatherer {
  readonly #block = new Uint8Array(BLOCK);
  #length = 0;

  add(record: Uint8Array, newline: boolean): void {
    const bytes = showable(record);
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
  readonly json: boolean;
}

/** How long records are taken in one go, in ms, so that signals are served. */
const TURN_MS = 50;

/** @returns Whether it ended because nothing came in time. @throws Failure. */
async function receive(inlet: Inlet, { count, idleMs, follow, json }: Until): Promise<boolean> {
  const output = new Gatherer();
  let left = count;
  let seen = false;
  let last = performance.now();
  let turn = last;
  /** Bytes that came since the last question whether anybody writes, and the answer. */
  let came = 0;
  let written: number | undefined;
  const take = (timeoutMs: number): number => {
    const sink: Sink = (bytes, type) => {
      came += bytes.length + HEADER_LENGTH;
      if (json) printJson(describeRecord(bytes, type), 0);
      else output.add(bytes, type !== RAW_TYPE);
    };
    const got = inlet.read(sink, left, timeoutMs);
    output.flush();
    left -= got;
    if (got > 0) last = performance.now();
    return got;
  };
  while (left > 0) {
    const got = take(idleMs);
    if (got === 0 || performance.now() - turn > TURN_MS) {
      await Bun.sleep(0);
      turn = performance.now();
    }
    if (got > 0) {
      seen = true;
      // A writer that is killed can have published what it did not count: at most a ring full.
      if (came <= 2 * inlet.capacity) continue;
      const before = written;
      written = inlet.hasWriter() ? undefined : inlet.written();
      if (written !== undefined && written === before) {
        const why = "more comes out than it can hold, and nobody writes";
        throw new Failure(EXIT.failed, `Cannot go on with ${inlet.what}: it is corrupt, ${why}`);
      }
      came = 0;
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
  async run(call: Call): Promise<number> {
    const name = call.object;
    const idleMs = call.milliseconds("timeout") ?? Number.POSITIVE_INFINITY;
    const count = call.count("count") ?? MAX_COUNT;
    waitFor(call, name);
    using held = new DisposableStack();
    let opened: Inlet | undefined;
    // Also when the reader of the output goes away, and when a signal ends the command: one that
    // comes before the first wait is served there, when the object is open.
    using _ = call.has("unlink") ? beforeExit(() => opened?.unlink()) : undefined;
    make(call, name);
    const inlet = held.use(openInlet(name, ownersOf(call)));
    opened = inlet;
    const [follow, json] = [call.has("follow"), call.has("json")];
    const idle = await receive(inlet, { count, idleMs, follow, json });
    if (idle) complain(`Nothing came out of ${inlet.what} for ${idleMs / 1000} s`);
    return idle ? EXIT.no : EXIT.ok;
  },
};
