/** Recognises what is in an object by its first bytes. */
import { QUEUE_MAGIC } from "../layout/message-queue-layout.ts";
import {
  HEADER_DATA_LENGTH,
  HEADER_DATA_OFFSET,
  HEADER_KIND,
  SEGMENT_HEADER,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_KINDS,
  SEGMENT_MAGIC,
} from "../layout/segment-header.ts";
import { PORTABLE_HEADER, PORTABLE_MAGIC } from "../layout/portable-layout.ts";
import type { ObjectReader } from "./object-reader.ts";
import { ObjectWords } from "./object-words.ts";
import { QUEUE_STRUCTURE } from "./kinds/queue.ts";
import {
  BROADCAST_BLOCK_STRUCTURE,
  BROADCAST_STRUCTURE,
  MPSC_STRUCTURE,
  RING_STRUCTURE,
} from "./kinds/ring.ts";
import { mapActivity, mapParts, recordActivity, recordParts } from "./kinds/state.ts";
import type { Structure } from "./kinds/kind.ts";

/** A structure, and the object's words as they were read. */
export interface Identified {
  readonly structure: Structure;
  readonly words: ObjectWords;
}

function headerDamage(words: ObjectWords): string | undefined {
  const end = words.u32(HEADER_DATA_OFFSET) + words.u32(HEADER_DATA_LENGTH);
  if (end <= words.size) return undefined;
  return `its data ends at ${end}, and the object at ${words.size}`;
}

/** A structure of which no more is known than its header. */
function plain(kind: string): Structure {
  return {
    kind,
    parts: () => [{ layout: SEGMENT_HEADER, offset: 0 }],
    activity: () => ({}),
    roles: (held) => held.map((byte) => `lock ${byte}`),
    damage: headerDamage,
  };
}

const STRUCTURES: ReadonlyMap<number, Structure> = new Map<number, Structure>([
  ...Object.entries(SEGMENT_KINDS).map(([name, kind]): [number, Structure] => {
    const spelled = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return [kind, plain(spelled)];
  }),
  [SEGMENT_KINDS.spsc, RING_STRUCTURE],
  [SEGMENT_KINDS.mpsc, MPSC_STRUCTURE],
  [SEGMENT_KINDS.broadcast, BROADCAST_STRUCTURE],
  [SEGMENT_KINDS.broadcastBlock, BROADCAST_BLOCK_STRUCTURE],
  [SEGMENT_KINDS.record, { ...plain("record"), parts: recordParts, activity: recordActivity }],
  [SEGMENT_KINDS.map, { ...plain("map"), parts: mapParts, activity: mapActivity }],
]);

const PORTABLE: Structure = {
  ...plain("portable"),
  parts: () => [{ layout: PORTABLE_HEADER, offset: 0 }],
  damage: () => undefined,
};

/** What an object holds, or undefined for raw memory. */
export function identify(reader: ObjectReader): Identified | undefined {
  const words = new ObjectWords(reader);
  const magic = words.u32(0);
  if (magic === QUEUE_MAGIC) return { structure: QUEUE_STRUCTURE, words };
  if (magic === PORTABLE_MAGIC) return { structure: PORTABLE, words };
  if (magic !== SEGMENT_MAGIC || words.size < SEGMENT_HEADER_LENGTH) return undefined;
  const kind = words.u32(HEADER_KIND);
  return { structure: STRUCTURES.get(kind) ?? plain(`kind-${kind}`), words };
}
