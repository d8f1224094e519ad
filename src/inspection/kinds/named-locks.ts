import {
  LOCKS_DEATHS_WORD,
  LOCKS_GRANTS_WORD,
  LOCKS_LOCK_OFFSET,
  LOCKS_NAME_COUNT_WORD,
  NAMED_LOCKS,
  NAMED_LOCKS_PARAMETERS,
} from "../../layout/named-locks-layout.ts";
import { HEADER_PARAMETERS_OFFSET } from "../../layout/segment-header.ts";
import { HEADER, dataOffset, headed } from "./header.ts";
import type { Inspector } from "./kind.ts";

export const NAMED_LOCKS_INSPECTOR: Inspector = headed("named-locks", {
  parts: (words) => [HEADER, { layout: NAMED_LOCKS, offset: dataOffset(words) }],
  activity(words) {
    const count = (word: number): number => words.u32(dataOffset(words) + word * 4);
    return {
      in: count(LOCKS_GRANTS_WORD),
      depth: count(LOCKS_NAME_COUNT_WORD),
      capacity: words.u32(HEADER_PARAMETERS_OFFSET + NAMED_LOCKS_PARAMETERS.names * 4),
      unit: "names",
      repaired: count(LOCKS_DEATHS_WORD),
    };
  },
  locks: (words) => [{ role: "table", offset: dataOffset(words) + LOCKS_LOCK_OFFSET }],
});
