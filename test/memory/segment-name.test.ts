/** Names, parsed. */
import { expect, test } from "bun:test";
import { Segment, Semaphore, SharedEvent, usage } from "../../src/index.ts";
import { type SegmentName, parseSegmentName } from "../../src/memory/objects/segment-name.ts";
import { uniqueName } from "../support/names.ts";

const PARSED: [string, object][] = [
  ["/x", { kind: "posix", path: "/x" }],
  ["/sem", { kind: "posix", path: "/sem" }],
  ["/semx", { kind: "posix", path: "/semx" }],
  ["/proc", { kind: "posix", path: "/proc" }],
  ["file:a/b", { kind: "file", path: "a/b" }],
  ["file:file:x", { kind: "file", path: "file:x" }],
  ["memfd:", { kind: "memfd", path: "" }],
  ["memfd:label", { kind: "memfd", path: "label" }],
  ["fd:3", { kind: "descriptor", path: "/proc/self/fd/3" }],
  ["/proc/self/fd/3", { kind: "descriptor", path: "/proc/self/fd/3" }],
  ["/proc/17/fd/3", { kind: "descriptor", path: "/proc/17/fd/3" }],
  ["sysv:private", { kind: "sysv", target: "private" }],
  ["sysv:#0", { kind: "sysv", target: { id: 0 } }],
  ["sysv:#2147483647", { kind: "sysv", target: { id: 2 ** 31 - 1 } }],
  ["sysv:1", { kind: "sysv", target: { key: 1 } }],
  ["sysv:0xFfffffff", { kind: "sysv", target: { key: 2 ** 32 - 1 } }],
];

test.each(PARSED)("%s", (text, parsed) => {
  expect(parseSegmentName(text)).toEqual({ text, ...parsed } as SegmentName);
});

const REFUSED: string[] = [
  "",
  "x",
  "/a/b",
  "/sem.",
  "/sem.x",
  "/proc/self/fd/x",
  "fd:",
  "fd:-1",
  "fd:3/..",
  "file:",
  "file:a\0",
  "sysv:",
  "sysv:0",
  "sysv:0x100000000",
  "sysv:1e3",
  "sysv:#2147483648",
  "sysv:#-1",
  `memfd:${"é".repeat(125)}`,
];

test.each(REFUSED)("%p is refused", (text) => {
  expect(() => parseSegmentName(text)).toThrow(RangeError);
});

test("a portable name is a POSIX one of at most 31 bytes", () => {
  expect(parseSegmentName(`/${"x".repeat(30)}`, true).kind).toBe("posix");
  for (const text of [`/${"x".repeat(31)}`, "memfd:x", "sysv:1", "file:x", "fd:3"]) {
    expect(() => parseSegmentName(text, true)).toThrow(RangeError);
  }
});

test("what is no string is a TypeError", () => {
  for (const value of [undefined, null, 7, {}, Symbol.iterator]) {
    expect(() => parseSegmentName(value as unknown as string)).toThrow(TypeError);
  }
});

test("the file of a semaphore is no segment, whatever a noun would do with it", () => {
  const name = uniqueName("sem");
  using semaphore = Semaphore.create(name, { value: 3 });
  const file = `/sem.${name.slice(1)}`;
  for (const call of [
    () => Segment.create(file, { size: 32 }),
    () => Segment.open(file),
    () => Segment.openOrCreate(file, { size: 32, truncate: true }),
    () => Segment.unlink(file),
    () => Segment.exists(file),
    () => Segment.inUse(file),
    () => SharedEvent.openOrCreate(file, { reset: "manual" }),
  ]) {
    expect(call).toThrow(`it is the file of the semaphore "${name}"`);
  }
  expect([semaphore.value, semaphore.unlinked]).toEqual([3, false]);
  expect(usage().filter((one) => one.name === name)).toMatchObject([{ value: 3 }]);
  expect(Semaphore.unlink(name)).toBe(true);
});
