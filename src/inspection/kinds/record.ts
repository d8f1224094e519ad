import { RECORD, RECORD_LATEST } from "../../layout/shared-record-layout.ts";
import { HEADER, dataOffset, headed } from "./header.ts";
import type { Structure } from "./kind.ts";

export const RECORD_STRUCTURE: Structure = headed("record", {
  parts: (words) => [HEADER, { layout: RECORD, offset: dataOffset(words) }],
  // A record's version counts its writes.
  activity: (words) => ({ in: words.u32(dataOffset(words) + RECORD_LATEST) }),
});
