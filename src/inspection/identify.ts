/** Recognises the structure that starts an object by its first bytes. */
import { QUEUE_MAGIC } from "../layout/message-queue-layout.ts";
import { PORTABLE_MAGIC } from "../layout/portable-layout.ts";
import {
  HEADER_KIND_OFFSET,
  SEGMENT_HEADER_LENGTH,
  SEGMENT_KINDS,
  SEGMENT_MAGIC,
} from "../layout/segment-header.ts";
import { ATOMICS_INSPECTOR } from "./kinds/atomics.ts";
import type { FoundStructure } from "./holders.ts";
import { headed } from "./kinds/header.ts";
import type { Inspector } from "./kinds/kind.ts";
import { LIMITER_INSPECTOR } from "./kinds/limiter.ts";
import { findLock } from "./kinds/locks.ts";
import { MAP_INSPECTOR } from "./kinds/map.ts";
import { METERS_INSPECTOR } from "./kinds/meters.ts";
import { NAMED_LOCKS_INSPECTOR } from "./kinds/named-locks.ts";
import { PORTABLE_INSPECTOR } from "./kinds/portable.ts";
import { QUEUE_INSPECTOR } from "./kinds/queue.ts";
import { RECORD_INSPECTOR } from "./kinds/record.ts";
import { TABLE_INSPECTOR } from "./kinds/table.ts";
import {
  BROADCAST_BLOCK_INSPECTOR,
  BROADCAST_INSPECTOR,
  MPSC_INSPECTOR,
  RING_INSPECTOR,
} from "./kinds/ring.ts";
import type { ObjectWords } from "./object-words.ts";

/** The inspectors by the kind in the segment's header. */
const INSPECTORS: ReadonlyMap<number, Inspector> = new Map<number, Inspector>([
  [SEGMENT_KINDS.spsc, RING_INSPECTOR],
  [SEGMENT_KINDS.mpsc, MPSC_INSPECTOR],
  [SEGMENT_KINDS.broadcast, BROADCAST_INSPECTOR],
  [SEGMENT_KINDS.broadcastBlock, BROADCAST_BLOCK_INSPECTOR],
  [SEGMENT_KINDS.record, RECORD_INSPECTOR],
  [SEGMENT_KINDS.table, TABLE_INSPECTOR],
  [SEGMENT_KINDS.map, MAP_INSPECTOR],
  [SEGMENT_KINDS.limiter, LIMITER_INSPECTOR],
  [SEGMENT_KINDS.atomics, ATOMICS_INSPECTOR],
  [SEGMENT_KINDS.meters, METERS_INSPECTOR],
  [SEGMENT_KINDS.namedLocks, NAMED_LOCKS_INSPECTOR],
]);

/** The inspector of a structure of which only the header is known. */
const UNKNOWN: Inspector = headed("unknown");

/** @returns The inspector of the structure that starts an object; undefined for raw memory. */
export function identify(words: ObjectWords): Inspector | undefined {
  const magic = words.u32(0);
  if (magic === QUEUE_MAGIC) return QUEUE_INSPECTOR;
  if (magic === PORTABLE_MAGIC) return PORTABLE_INSPECTOR;
  if (magic !== SEGMENT_MAGIC || words.size < SEGMENT_HEADER_LENGTH) return findLock(words);
  return INSPECTORS.get(words.u32(HEADER_KIND_OFFSET)) ?? UNKNOWN;
}

/** Structures in raw memory lie at multiples of this. */
const STEP = 128;

/**
 * @param length How many bytes of raw memory are searched.
 * @returns The structure that starts an object; if none does, those that lie in it.
 */
export function structuresIn(words: ObjectWords, length: number): FoundStructure[] {
  const whole = identify(words);
  if (whole !== undefined) return [{ inspector: whole, words }];
  const found: FoundStructure[] = [];
  for (let at = STEP; at < Math.min(words.size, length); at += STEP) {
    const rest = words.from(at);
    const inspector = identify(rest);
    if (inspector === undefined || inspector === UNKNOWN) continue;
    found.push({ inspector, words: rest });
  }
  return found;
}
