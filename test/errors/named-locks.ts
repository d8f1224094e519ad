/** Rows of the table of errors: named locks. */
import { NamedLocks } from "../../src/index.ts";
import { LOCKS_HEAD_WORDS, LOCKS_NEWEST_WORD } from "../../src/layout/named-locks-layout.ts";
import { SEGMENT_HEADER_LENGTH } from "../../src/layout/segment-header.ts";
import { type ErrorRow, any, keep, poked } from "./provoke.ts";

function locks(name: string, names = 5): NamedLocks {
  return keep(NamedLocks.create(name, { names, requests: 8 }));
}

const forever = (): Promise<void> => new Promise(() => {});

export const NAMED_LOCKS: readonly ErrorRow[] = [
  {
    provoke: (name) => NamedLocks.create(name, any({})),
    error: "TypeError",
    text: 'Cannot create named locks "NAME": its names must be an integer from 1 to 1048576, not undefined',
  },
  {
    provoke: (name) => locks(name).request("-a", () => 1),
    error: "TypeError",
    text: 'Cannot request a name of named locks "NAME": names that begin with "-" are reserved, as "-a" is',
  },
  {
    provoke: (name) => locks(name).request(any(5), () => 1),
    error: "TypeError",
    text: 'Cannot request a name of named locks "NAME": a name is text, and this is 5',
  },
  {
    provoke: (name) => locks(name).request("x".repeat(257), () => 1),
    error: "RangeError",
    text: `Cannot request a name of named locks "NAME": a name has at most 256 bytes of UTF-8, and "${"x".repeat(80)}…" has 257`,
  },
  {
    provoke: (name) => locks(name).request("a", { steal: true, mode: "shared" }, () => 1),
    error: "TypeError",
    text: 'Cannot request a name of named locks "NAME": only "exclusive" locks can be stolen for',
  },
  {
    provoke: (name) => {
      const one = locks(name, 1);
      void one.request("a", forever).catch(() => {});
      return one.request("b", () => 1);
    },
    error: "StateError",
    code: "ENOSPC",
    text: 'Cannot request "b" of named locks "NAME": as many other names hold and wait as there is room for. Make them with more names',
  },
  {
    provoke: (name) => {
      const one = locks(name);
      void one.request("a", forever).catch(() => {});
      one.withLock("a", () => 1);
    },
    error: "StateError",
    code: "EDEADLK",
    text: 'Cannot hold "a" of named locks "NAME": this thread holds it, or waits for it, in its event loop. Use request',
  },
  {
    provoke: (name) => {
      const one = locks(name);
      const pending = one.request("a", () => 1);
      one.close();
      return pending;
    },
    error: "ClosedError",
    text: 'Cannot use named locks "NAME": it is closed',
  },
  {
    provoke: (name) => {
      const one = locks(name);
      const pending = one.request("a", () => 1);
      one.segment.bytes.fill(0, SEGMENT_HEADER_LENGTH + LOCKS_HEAD_WORDS * 4);
      return pending;
    },
    error: "LayoutError",
    text: 'Cannot hold "a" of named locks "NAME": its table was overwritten: expected request 1 at offset 0, found none',
  },
  {
    provoke: (name) => {
      const one = locks(name);
      const floats = new Float64Array(one.segment.buffer, SEGMENT_HEADER_LENGTH);
      floats[LOCKS_NEWEST_WORD / 2] = Number.MAX_SAFE_INTEGER;
      return one.request("a", () => 1);
    },
    error: "LayoutError",
    text: "Cannot use the named locks: their table is corrupt: expected a number in range at offset 448, found 1",
  },
  {
    provoke: (name) => {
      const { segment } = locks(name);
      return NamedLocks.at(poked(segment, 32, 6), 0);
    },
    error: "LayoutError",
    text: 'Cannot open named locks at 0 in segment "NAME": its numbers make no named locks: expected 2176 bytes at offset 32, found {"names":6,"requests":8}',
  },
];
