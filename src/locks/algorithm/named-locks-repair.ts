/** Makes the parts of a table of named locks that follow from its requests. */
import {
  LOCKS_FREE_NAME_WORD,
  LOCKS_FREE_REQUEST_WORD,
  LOCKS_NAME_COUNT_WORD,
  LOCKS_NEWEST_WORD,
  LOCKS_REQUEST_COUNT_WORD,
  MAX_LOCK_NAME_LENGTH,
  NAME_FIRST_WORD,
  NAME_HASH_WORD,
  NAME_LAST_WORD,
  NAME_MARK_WORD,
  NAME_NEXT_WORD,
  REQUEST_HELD,
  REQUEST_MARK_WORD,
  REQUEST_NAME_WORD,
  REQUEST_NEXT_WORD,
  REQUEST_PREVIOUS_WORD,
  REQUEST_SHARED,
  REQUEST_STOLEN,
} from "../../layout/named-locks-layout.ts";
import { store } from "../../memory/atomics.ts";
import type { NamedLocksMemory } from "./named-locks-memory.ts";

interface Queued {
  readonly request: number;
  readonly isHeld: boolean;
  readonly number: number;
}

/**
 * Makes buckets, queues, free lists and counts: for a new table, or again after the lock's owner
 * died. The caller holds the lock, and grants what can be granted afterwards. Whoever dies in here
 * leaves as much to do as there was, since no request changes, but for those that make no sense,
 * which only a program that is not this package writes, and which are freed.
 *
 * @returns The requests that wait or hold, in the order of their queues.
 */
export function rebuild(memory: NamedLocksMemory): readonly number[] {
  const { words, start, bucketMask, names, requests } = memory;
  const queued: Queued[] = [];
  let free = 0;
  let newest = 0;
  let used = 0;
  for (let request = requests; request > 0; request--) {
    const at = memory.requestAt(request);
    const mark = words[at + REQUEST_MARK_WORD]!;
    const state = mark & ~REQUEST_SHARED;
    if (!isSound(memory, at, state)) {
      if (mark !== 0) store(words, at + REQUEST_MARK_WORD, 0);
      words[at + REQUEST_NEXT_WORD] = free;
      free = request;
      continue;
    }
    used++;
    const found = memory.numberOf(request);
    const number = Number.isSafeInteger(found) ? found : 0;
    newest = Math.max(newest, number);
    if (state !== REQUEST_STOLEN) {
      queued.push({ request, isHeld: state === REQUEST_HELD, number });
    }
  }
  const counted = memory.float(start + LOCKS_NEWEST_WORD);
  if (Number.isSafeInteger(counted)) newest = Math.max(newest, counted);
  memory.setFloat(start + LOCKS_NEWEST_WORD, newest);
  words[start + LOCKS_FREE_REQUEST_WORD] = free;
  words[start + LOCKS_REQUEST_COUNT_WORD] = used;

  const buckets = memory.bucketOf(0);
  words.fill(0, buckets, buckets + bucketMask + 1);
  for (let name = 1; name <= names; name++) {
    words[memory.nameAt(name) + NAME_FIRST_WORD] = 0;
    words[memory.nameAt(name) + NAME_LAST_WORD] = 0;
  }
  queued.sort((a, b) => Number(b.isHeld) - Number(a.isHeld) || a.number - b.number);
  for (const { request } of queued) append(memory, request);
  let freeName = 0;
  let usedNames = 0;
  for (let name = names; name > 0; name--) {
    const at = memory.nameAt(name);
    if (words[at + NAME_FIRST_WORD] === 0) {
      words[at + NAME_NEXT_WORD] = freeName;
      freeName = name;
      continue;
    }
    const bucket = memory.bucketOf(words[at + NAME_HASH_WORD]!);
    words[at + NAME_NEXT_WORD] = words[bucket]!;
    words[bucket] = name;
    usedNames++;
  }
  words[start + LOCKS_FREE_NAME_WORD] = freeName;
  words[start + LOCKS_NAME_COUNT_WORD] = usedNames;
  return queued.map(({ request }) => request);
}

/** Whether a request can be what it says: one that was stolen needs no name any more. */
function isSound(memory: NamedLocksMemory, at: number, state: number): boolean {
  if (state < 1 || state > REQUEST_STOLEN) return false;
  if (state === REQUEST_STOLEN) return true;
  const name = memory.words[at + REQUEST_NAME_WORD]!;
  if (!memory.isName(name)) return false;
  const mark = memory.words[memory.nameAt(name) + NAME_MARK_WORD]!;
  return mark >= 1 && mark <= MAX_LOCK_NAME_LENGTH + 1;
}

/** Puts a request at the end of its name's queue. */
export function append(memory: NamedLocksMemory, request: number): void {
  const { words } = memory;
  const at = memory.requestAt(request);
  const name = memory.nameAt(words[at + REQUEST_NAME_WORD]!);
  const last = words[name + NAME_LAST_WORD]!;
  words[at + REQUEST_NEXT_WORD] = 0;
  words[at + REQUEST_PREVIOUS_WORD] = last;
  if (last === 0) words[name + NAME_FIRST_WORD] = request;
  else words[memory.requestAt(last) + REQUEST_NEXT_WORD] = request;
  words[name + NAME_LAST_WORD] = request;
}
