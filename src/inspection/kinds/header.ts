/** What the structures with a segment's header have in common. */
import {
  HEADER_DATA_LENGTH_OFFSET,
  HEADER_DATA_OFFSET_OFFSET,
  SEGMENT_HEADER,
} from "../../layout/segment-header.ts";
import type { ObjectWords } from "../object-words.ts";
import type { Part, Inspector, InspectedKind } from "./kind.ts";

export const HEADER: Part = { layout: SEGMENT_HEADER, offset: 0 };

/** Where the structure's own fields start, in bytes. */
export function dataOffset(words: ObjectWords): number {
  return words.u32(HEADER_DATA_OFFSET_OFFSET);
}

/** @returns What is wrong with the place of the data, or undefined. */
export function headerDamage(words: ObjectWords): string | undefined {
  const end = dataOffset(words) + words.u32(HEADER_DATA_LENGTH_OFFSET);
  if (end <= words.size) return undefined;
  return `its data ends at ${end}, and the object at ${words.size}`;
}

/** A structure with a header, and what is known beyond it. */
export function headed(kind: InspectedKind, more: Partial<Inspector> = {}): Inspector {
  return {
    kind,
    parts: () => [HEADER],
    activity: () => ({}),
    roles: [],
    damage: headerDamage,
    ...more,
  };
}
