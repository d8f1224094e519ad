/** Recognises what is in an object by its first bytes. */
import { QUEUE_MAGIC } from "../layout/message-queue-layout.ts";
import { PORTABLE_MAGIC } from "../layout/portable-layout.ts";
import {
  HEADER_KIND,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_KINDS,
  SEGMENT_MAGIC,
} from "../layout/segment-header.ts";
import { ATOMICS_STRUCTURE } from "./kinds/atomics.ts";
import { headed } from "./kinds/header.ts";
import type { Structure } from "./kinds/kind.ts";
import { findLock } from "./kinds/locks.ts";
import { MAP_STRUCTURE } from "./kinds/map.ts";
import { PORTABLE_STRUCTURE } from "./kinds/portable.ts";
import { QUEUE_STRUCTURE } from "./kinds/queue.ts";
import { RECORD_STRUCTURE } from "./kinds/record.ts";
import {
  BROADCAST_BLOCK_STRUCTURE,
  BROADCAST_STRUCTURE,
  MPSC_STRUCTURE,
  RING_STRUCTURE,
} from "./kinds/ring.ts";
import type { ObjectWords } from "./object-words.ts";

/** By the kind in the segment's header. */
const STRUCTURES: ReadonlyMap<number, Structure> = new Map<number, Structure>([
  [SEGMENT_KINDS.spsc, RING_STRUCTURE],
  [SEGMENT_KINDS.mpsc, MPSC_STRUCTURE],
  [SEGMENT_KINDS.broadcast, BROADCAST_STRUCTURE],
  [SEGMENT_KINDS.broadcastBlock, BROADCAST_BLOCK_STRUCTURE],
  [SEGMENT_KINDS.record, RECORD_STRUCTURE],
  [SEGMENT_KINDS.map, MAP_STRUCTURE],
  [SEGMENT_KINDS.atomics, ATOMICS_STRUCTURE],
]);

/** A structure of which no more is known than its header. */
const UNKNOWN: Structure = headed("unknown");

/** What an object holds, or undefined for raw memory. */
export function identify(words: ObjectWords): Structure | undefined {
  const magic = words.u32(0);
  if (magic === QUEUE_MAGIC) return QUEUE_STRUCTURE;
  if (magic === PORTABLE_MAGIC) return PORTABLE_STRUCTURE;
  if (magic !== SEGMENT_MAGIC || words.size < SEGMENT_HEADER_LENGTH) return findLock(words);
  return STRUCTURES.get(words.u32(HEADER_KIND)) ?? UNKNOWN;
}
