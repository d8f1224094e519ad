/** What all structures with a segment's header have in common. */
import {
  HEADER_DATA_LENGTH_OFFSET,
  HEADER_DATA_OFFSET_OFFSET,
  SEGMENT_HEADER,
} from "../../layout/segment-header.ts";
import type { ObjectWords } from "../object-words.ts";
import type { Part, Inspector, InspectedKind } from "./kind.ts";

export const HEADER: Part = { layout: SEGMENT_HEADER, offset: 0 };

/** @returns Where the structure's data starts, in bytes from the object's start. */
export function dataOffset(words: ObjectWords): number {
  return words.u32(HEADER_DATA_OFFSET_OFFSET);
}

/** @returns What is wrong with the place of the data; undefined when nothing is. */
export function headerDamage(words: ObjectWords): string | undefined {
  const end = dataOffset(words) + words.u32(HEADER_DATA_LENGTH_OFFSET);
  if (end <= words.size) return undefined;
  return `its data ends at ${end}, and the object at ${words.size}`;
}

/** @returns The inspector of a structure with a header. @param more What it knows beyond that. */
export function headed(kind: InspectedKind, more: Partial<Inspector> = {}): Inspector {
  return {
    kind,
    parts: () => [HEADER],
    activity: () => ({}),
    damage: headerDamage,
    ...more,
  };
}
