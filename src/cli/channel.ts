/** Where `send` writes and `recv` reads: a ring or a queue, whichever is there. */
import { UnsupportedError } from "../errors.ts";
import { openReader } from "../inspection/object-reader.ts";
import { identify } from "../inspection/identify.ts";
import { MessageQueue } from "../queue/message-queue.ts";
import { RingBuffer } from "../ring/ring-buffer.ts";
import { codecs } from "../struct/codec.ts";

/** The type of a record that holds bytes as they came, and is no line. */
export const RAW_TYPE = 0x72_61_77_01;

/** Blocking calls come up this often, in ms, so that signals are served. */
const SLICE_MS = 100;

export interface Outlet extends Disposable {
  /** The longest record, in bytes. */
  readonly limit: number;
  /** Blocks while there is no room. */
  write(bytes: Uint8Array, type: number): void;
  /** Makes everything visible that was written. */
  flush(): void;
}

/** Receives one record; the bytes are good until it returns. */
export type Sink = (bytes: Uint8Array, type: number) => void;

export interface Inlet extends Disposable {
  /** Hands over what is there, or comes within the time. @returns How many records. */
  read(sink: Sink, limit: number, timeoutMs: number): number;
  /** Whether somebody alive has it open for writing, as far as the structure tells. */
  hasWriter(): boolean;
}

/** How long, in ms, a structure is waited for whose creator has not finished it. */
const PATIENCE_MS = 1000;

/** What an object holds: "ring", "mpsc-ring", "queue" … @throws SystemError ENOENT. */
export function kindOf(name: string): string {
  using reader = openReader(name);
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = identify(reader);
    if (found !== undefined) return found.structure.kind;
    // A creator writes the magic last: zeros may be a structure in the making.
    if (reader.read(0, 4).some((byte) => byte !== 0)) return "raw memory";
    if (performance.now() >= deadline) return "raw memory";
    Bun.sleepSync(1);
  }
}

function refuse(name: string, kind: string): never {
  throw new UnsupportedError(
    `Cannot use "${name}" as a pipe: it is ${kind}, and neither a ring nor a queue`,
  );
}

const RINGS: readonly string[] = ["ring", "mpsc-ring", "broadcast", "broadcast-block"];
const isRing = (kind: string): boolean => RINGS.includes(kind);

export function openOutlet(name: string): Outlet {
  const kind = kindOf(name);
  if (kind === "queue") return queueOutlet(name);
  if (!isRing(kind)) return refuse(name, kind);
  const ring = RingBuffer.open(name, { codec: codecs.raw });
  const producer = ring.producer({ batch: 64 });
  return {
    limit: producer.maxRecordLength,
    write(bytes, type) {
      if (producer.tryWrite(bytes, type)) return;
      while (!producer.write(bytes, { type, timeoutMs: SLICE_MS }));
    },
    flush: () => producer.flush(),
    [Symbol.dispose]: () => ring.close(),
  };
}

export function openInlet(name: string): Inlet {
  const kind = kindOf(name);
  if (kind === "queue") return queueInlet(name);
  if (!isRing(kind)) return refuse(name, kind);
  const ring = RingBuffer.open(name, { codec: codecs.raw });
  const consumer = ring.consumer();
  const { segment } = ring;
  const many = kind === "mpsc-ring";
  const bytes = { lock: many ? 64 : 0, count: many ? 63 : 1 };
  return {
    read: (sink, limit, timeoutMs) =>
      consumer.read(
        ({ buffer, byteOffset }, index, length, type) =>
          sink(new Uint8Array(buffer, byteOffset + index, length), type),
        { limit, timeoutMs: Math.min(timeoutMs, SLICE_MS) },
      ),
    hasWriter() {
      for (let at = 0; at < bytes.count; at++) {
        if (segment.isLocked(bytes.lock + at)) return true;
      }
      return false;
    },
    [Symbol.dispose]: () => ring.close(),
  };
}

function queueOutlet(name: string): Outlet {
  const queue = MessageQueue.open(name);
  const decoder = new TextDecoder();
  return {
    limit: queue.maxTextLength,
    write(bytes, type) {
      if (type === RAW_TYPE) {
        throw new RangeError(`"${name}" is a queue, which holds text: send lines, or use a ring`);
      }
      const text = decoder.decode(bytes);
      while (!queue.enqueue(text, { timeoutMs: SLICE_MS }));
    },
    flush: () => undefined,
    [Symbol.dispose]: () => queue.close(),
  };
}

function queueInlet(name: string): Inlet {
  const queue = MessageQueue.open(name);
  const encoder = new TextEncoder();
  return {
    read(sink, limit, timeoutMs) {
      let count = 0;
      while (count < limit) {
        const timeout = count === 0 ? Math.min(timeoutMs, SLICE_MS) : 0;
        const text = queue.dequeue({ timeoutMs: timeout });
        if (text === undefined) break;
        sink(encoder.encode(text), 0);
        count++;
      }
      return count;
    },
    // Producers and consumers look alike to a queue, and C programs do not tell at all.
    hasWriter: () => true,
    [Symbol.dispose]: () => queue.close(),
  };
}
