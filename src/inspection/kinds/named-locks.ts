import { shown } from "../../arguments.ts";
import {
  LOCKS_DEATHS_WORD,
  LOCKS_GRANTS_WORD,
  LOCKS_LOCK_OFFSET,
  LOCKS_NAME_COUNT_WORD,
  MAX_LOCK_NAME_LENGTH,
  NAMED_LOCKS,
  NAMED_LOCKS_PARAMETERS,
  NAME_MARK_WORD,
  NAME_TEXT_WORD,
  REQUEST_HELD,
  REQUEST_MARK_WORD,
  REQUEST_NAME_WORD,
  REQUEST_PARTICIPANT_WORD,
  REQUEST_SHARED,
} from "../../layout/named-locks-layout.ts";
import { HEADER_PARAMETERS_OFFSET } from "../../layout/segment-header.ts";
import {
  MAX_LOCK_NAMES,
  MAX_LOCK_REQUESTS,
  nameOffset,
  requestOffset,
} from "../../locks/algorithm/named-locks-memory.ts";
import type { ObjectWords } from "../object-words.ts";
import { HEADER, dataOffset, headed } from "./header.ts";
import type { Inspector, LockPlace } from "./kind.ts";

const decoder = new TextDecoder();

const parameter = (words: ObjectWords, at: number, most: number): number =>
  Math.min(words.u32(HEADER_PARAMETERS_OFFSET + at * 4), most);

/** The requests that hold a name, which begin like a lock that is held for as long as they live. */
function* heldNames(words: ObjectWords): Generator<LockPlace> {
  const start = dataOffset(words);
  const shape = {
    names: parameter(words, NAMED_LOCKS_PARAMETERS.names, MAX_LOCK_NAMES),
    requests: parameter(words, NAMED_LOCKS_PARAMETERS.requests, MAX_LOCK_REQUESTS),
  };
  for (let request = 1; request <= shape.requests; request++) {
    const at = start + requestOffset(shape, request);
    if (at > words.size) return;
    if ((words.u32(at + REQUEST_MARK_WORD * 4) & ~REQUEST_SHARED) !== REQUEST_HELD) continue;
    const name = words.u32(at + REQUEST_NAME_WORD * 4);
    if (name < 1 || name > shape.names) continue;
    const nameAt = start + nameOffset(shape, name);
    const length = words.u32(nameAt + NAME_MARK_WORD * 4) - 1;
    if (length < 0 || length > MAX_LOCK_NAME_LENGTH) continue;
    const text = decoder.decode(words.bytes(nameAt + NAME_TEXT_WORD * 4, length));
    yield {
      role: `name ${shown(text)}`,
      offset: at + REQUEST_PARTICIPANT_WORD * 4,
      isRole: true,
    };
  }
}

export const NAMED_LOCKS_INSPECTOR: Inspector = headed("named-locks", {
  parts: (words) => [HEADER, { layout: NAMED_LOCKS, offset: dataOffset(words) }],
  activity(words) {
    const count = (word: number): number => words.u32(dataOffset(words) + word * 4);
    return {
      in: count(LOCKS_GRANTS_WORD),
      depth: count(LOCKS_NAME_COUNT_WORD),
      capacity: parameter(words, NAMED_LOCKS_PARAMETERS.names, MAX_LOCK_NAMES),
      unit: "names",
      repaired: count(LOCKS_DEATHS_WORD),
    };
  },
  locks: (words) => [
    { role: "table", offset: dataOffset(words) + LOCKS_LOCK_OFFSET },
    ...heldNames(words),
  ],
});
