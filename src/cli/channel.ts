/** What `send` writes to and `recv` reads from: a ring or a queue, whichever is there. */
import { isUtf8 } from "node:buffer";
import { shown } from "../arguments.ts";
import { type AnyObject, MessageQueue, type OwnerOptions, RingBuffer, openAny } from "../index.ts";
import { kindText } from "../inspection/inspect.ts";
import { EXIT, Failure, UsageError } from "./failure.ts";

/** The type of a record that holds a block of bytes, and not a line. */
export const RAW_TYPE = 0x72_61_77_01;

/** A record in the form of --json; `bytes`, in hex, only when they are not UTF-8. */
export function describeRecord(bytes: Uint8Array, type: number): object {
  const described = { type, length: bytes.length, text: new TextDecoder().decode(bytes) };
  return isUtf8(bytes) ? described : { ...described, bytes: Buffer.from(bytes).toString("hex") };
}

/** How long a call blocks at most, in ms, so that signals are served. */
const SLICE_MS = 100;

/** Writes records. */
export interface Outlet extends Disposable {
  /** What it writes to, in words. */
  readonly what: string;
  /** The longest record, in bytes. */
  readonly limit: number;
  /** @returns Why a line cannot be a record of it; undefined when it can. */
  refusal(line: Uint8Array): string | undefined;
  /** Blocks while there is no room. */
  write(bytes: Uint8Array, type: number): void;
  /** Publishes everything that was written. */
  flush(): void;
}

/** Receives one record; the bytes are valid until it returns. */
export type Sink = (bytes: Uint8Array, type: number) => void;

/** Takes records. */
export interface Inlet extends Disposable {
  /** What it takes from, in words. */
  readonly what: string;
  /** The bytes that its records can have at a time. */
  readonly capacity: number;
  /** Takes the records that are there, or come in time. @returns The number of records. */
  read(sink: Sink, limit: number, timeoutMs: number): number;
  /** @returns Whether a live process has it open for writing, as far as the structure tells. */
  hasWriter(): boolean;
  /** @returns The number of records that were ever written, as far as the structure counts them. */
  written(): number;
  /** Removes the name, if it still stands for this object. */
  unlink(): void;
}

function refuse(name: string, { kind, handle }: AnyObject): never {
  handle.close();
  const what = `Cannot use ${shown(name)} as a pipe: it is ${kindText(kind)}`;
  throw new Failure(EXIT.failed, `${what}, and neither a ring nor a queue`);
}

export function openOutlet(name: string, options: OwnerOptions): Outlet {
  const opened = openAny(name, options);
  if (opened.handle instanceof RingBuffer) return ringOutlet(opened.handle);
  if (opened.handle instanceof MessageQueue) return queueOutlet(opened.handle);
  return refuse(name, opened);
}

export function openInlet(name: string, options: OwnerOptions): Inlet {
  const opened = openAny(name, options);
  if (opened.handle instanceof RingBuffer) return ringInlet(opened.handle);
  if (opened.handle instanceof MessageQueue) return queueInlet(opened.handle);
  return refuse(name, opened);
}

function ringOutlet(ring: RingBuffer): Outlet {
  const producer = ring.producer({ batch: 64 });
  return {
    what: `ring ${shown(ring.name)}`,
    limit: producer.maxRecordLength,
    refusal: () => undefined,
    write(bytes, type) {
      if (producer.tryWrite(bytes, type)) return;
      while (!producer.write(bytes, { type, timeoutMs: SLICE_MS }));
    },
    flush: () => producer.flush(),
    [Symbol.dispose]: () => ring.close(),
  };
}

function ringInlet(ring: RingBuffer): Inlet {
  const consumer = ring.consumer();
  return {
    what: `ring ${shown(ring.name)}`,
    capacity: ring.capacity,
    read: (sink, limit, timeoutMs) =>
      consumer.read(
        ({ buffer, byteOffset }, index, length, type) =>
          sink(new Uint8Array(buffer, byteOffset + index, length), type),
        { limit, timeoutMs: Math.min(timeoutMs, SLICE_MS) },
      ),
    hasWriter: () => ring.hasProducer,
    written: () => ring.stats().in ?? 0,
    unlink: () => ring.unlink(),
    [Symbol.dispose]: () => ring.close(),
  };
}

function queueOutlet(queue: MessageQueue): Outlet {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const what = `message queue ${shown(queue.name)}`;
  return {
    what,
    limit: queue.maxTextLength,
    refusal(line) {
      if (line.includes(0)) return "it has a NUL, which would end the message";
      return isUtf8(line) ? undefined : "it is not UTF-8, and a queue holds text";
    },
    write(bytes, type) {
      if (type === RAW_TYPE) {
        throw new UsageError(`${what} holds text: send lines, or use a ring`);
      }
      const text = decoder.decode(bytes);
      while (!queue.enqueue(text, { timeoutMs: SLICE_MS }));
    },
    flush: () => undefined,
    [Symbol.dispose]: () => queue.close(),
  };
}

function queueInlet(queue: MessageQueue): Inlet {
  const encoder = new TextEncoder();
  return {
    what: `message queue ${shown(queue.name)}`,
    capacity: Number.POSITIVE_INFINITY,
    read(sink, limit, timeoutMs) {
      let count = 0;
      while (count < limit) {
        const text =
          count === 0
            ? queue.dequeue({ timeoutMs: Math.min(timeoutMs, SLICE_MS) })
            : queue.tryDequeue();
        if (text === undefined) break;
        sink(encoder.encode(text), 0);
        count++;
      }
      return count;
    },
    // A queue does not tell producers from consumers, and C programs leave no trace of their role.
    hasWriter: () => true,
    written: () => 0,
    unlink: () => queue.unlink(),
    [Symbol.dispose]: () => queue.close(),
  };
}
