/** Recognises what is in an object by its first bytes, and reads its counters. */
import type { Activity } from "./activity.ts";
import type { Layout } from "../layout/layout.ts";
import {
  CONSUMER_EMPTY,
  CONSUMER_LOST,
  CONSUMER_POSITION,
  CONSUMER_RECORDS,
  CONSUMER_WAITS,
  PRODUCER_FULL,
  PRODUCER_HIGH_WATER,
  PRODUCER_POSITION,
  PRODUCER_RECORDS,
  PRODUCER_RECOVERED,
  PRODUCER_WAITS,
  RING,
} from "../layout/ring-layout.ts";
import {
  HEADER_DATA_LENGTH,
  HEADER_KIND,
  SEGMENT_HEADER,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_KINDS,
  SEGMENT_MAGIC,
} from "../layout/segment-header.ts";
import { TEXTBOOK_QUEUE, TEXTBOOK_QUEUE_MAGIC, textbookActivity } from "./textbook-queue.ts";

/** How many bytes of an object are enough to recognise it and to read its counters. */
export const HEAD_LENGTH = 8192;

/** A layout, and where in the object it lies. */
export interface Part {
  readonly layout: Layout;
  readonly offset: number;
}

/** One kind of structure that can be recognised. */
export interface Structure {
  /** "ring", "queue" … */
  readonly kind: string;
  readonly parts: readonly Part[];
  /** The counters; `view` covers HEAD_LENGTH bytes, or the whole object when it is shorter. */
  activity(view: DataView): Activity;
  /** In words, what the held byte locks of the object mean. */
  roles?(view: DataView, held: readonly number[]): string[];
}

const HEADER: Part = { layout: SEGMENT_HEADER, offset: 0 };

function u32(view: DataView, offset: number): number {
  return offset + 4 <= view.byteLength ? view.getUint32(offset, true) : 0;
}

function ringActivity(view: DataView): Activity {
  const [bytesIn, bytesOut] = [u32(view, PRODUCER_POSITION), u32(view, CONSUMER_POSITION)];
  const capacity = u32(view, HEADER_DATA_LENGTH);
  return {
    in: u32(view, PRODUCER_RECORDS),
    out: u32(view, CONSUMER_RECORDS),
    bytesIn,
    bytesOut,
    // The two are read at different instants, and positions wrap.
    depth: Math.min((bytesIn - bytesOut) >>> 0, capacity),
    capacity,
    unit: "bytes",
    highWater: u32(view, PRODUCER_HIGH_WATER),
    waits: u32(view, PRODUCER_WAITS) + u32(view, CONSUMER_WAITS),
    full: u32(view, PRODUCER_FULL),
    empty: u32(view, CONSUMER_EMPTY),
    lost: u32(view, CONSUMER_LOST),
    recovered: u32(view, PRODUCER_RECOVERED),
  };
}

const noActivity = (): Activity => ({});

const ring = (kind: string): Structure => ({
  kind,
  parts: [HEADER, { layout: RING, offset: 0 }],
  activity: ringActivity,
});

const STRUCTURES: ReadonlyMap<number, Structure> = new Map<number, Structure>([
  [SEGMENT_KINDS.spsc, ring("ring")],
  [SEGMENT_KINDS.mpsc, ring("mpsc-ring")],
  [SEGMENT_KINDS.broadcast, ring("broadcast")],
]);

const TEXTBOOK: Structure = {
  kind: "queue",
  parts: [{ layout: TEXTBOOK_QUEUE, offset: 0 }],
  activity: textbookActivity,
};

const KIND_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(SEGMENT_KINDS).map(([name, kind]) => [
    kind,
    name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
  ]),
);

/** What the first bytes of an object are of, or undefined for raw memory. */
export function identify(head: Uint8Array): Structure | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const magic = u32(view, 0);
  if (magic === TEXTBOOK_QUEUE_MAGIC) return TEXTBOOK;
  if (magic !== SEGMENT_MAGIC || head.byteLength < SEGMENT_HEADER_LENGTH) return undefined;
  const kind = u32(view, HEADER_KIND);
  const known = STRUCTURES.get(kind);
  if (known !== undefined) return known;
  return {
    kind: KIND_NAMES.get(kind) ?? `kind-${kind}`,
    parts: [HEADER],
    activity: noActivity,
  };
}
