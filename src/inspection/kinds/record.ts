import {
  SHARED_RECORD,
  SHARED_RECORD_LATEST_OFFSET,
  SHARED_RECORD_LOCK_OFFSET,
} from "../../layout/shared-record-layout.ts";
import { HEADER, dataOffset, headed } from "./header.ts";
import type { Inspector } from "./kind.ts";

export const RECORD_INSPECTOR: Inspector = headed("record", {
  parts: (words) => [HEADER, { layout: SHARED_RECORD, offset: dataOffset(words) }],
  locks: (words) => [{ role: "writer", offset: dataOffset(words) + SHARED_RECORD_LOCK_OFFSET }],
  // The version counts the writes.
  activity: (words) => ({ in: words.u32(dataOffset(words) + SHARED_RECORD_LATEST_OFFSET) }),
});
