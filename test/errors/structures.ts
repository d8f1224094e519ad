/** Rows of the table of errors: structures. */
import {
  PortableSegment,
  SharedAtomics,
  SharedCounter,
  SharedMap,
  SharedRecord,
  SharedWord,
  arrayOf,
  charArray,
  json,
  struct,
} from "../../src/index.ts";
import { SEGMENT_HEADER_LENGTH } from "../../src/layout/segment-header.ts";
import { RECORD_LATEST } from "../../src/layout/shared-record-layout.ts";
import {
  type ErrorRow,
  Bytes,
  Point,
  any,
  closed,
  atomics,
  filled,
  map,
  nested,
  poked,
  raw,
  record,
  view,
  words,
} from "./provoke.ts";

export const STRUCTURES: readonly ErrorRow[] = [
  {
    provoke: (name) => SharedRecord.open(name, Point),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "NAME": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: (name) => SharedRecord.create(record(name).segment.name, Point),
    error: "SystemError",
    code: "EEXIST",
    text: 'Cannot create segment "NAME": EEXIST, file exists. Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink',
  },
  {
    provoke: (name) => SharedRecord.create(name, Point, { slots: 3 }),
    error: "RangeError",
    text: "Cannot make a record with 3 slots: it must be a power of two, 2 to 256",
  },
  {
    provoke: (name) => SharedRecord.open(record(name).segment.name, struct({ y: "f32" })),
    error: "LayoutError",
    text: 'Cannot open record "NAME": it has another struct: expected 0x45874d02 at offset 40, found 0xff69e0c7',
  },
  {
    provoke: (name) => record(name).write({ x: 1, label: "too long for it" }),
    error: "RangeError",
    text: 'Cannot write "too long for it" to 4 bytes of UTF-8: it has 15',
  },
  {
    provoke: (name) => record(name).write({ x: 1, label: "a\0b" }),
    error: "RangeError",
    text: 'Cannot write "a\\u0000b" to 4 bytes of UTF-8: it contains NUL, which ends the text',
  },
  {
    provoke: (name) => record(name).update(any(async () => ({ x: 1, label: "" }))),
    error: "TypeError",
    text: "Cannot update a record with a promise: the lock is held meanwhile",
  },
  {
    provoke: (name) => SharedRecord.open(map(name).segment.name, Point),
    error: "LayoutError",
    text: 'Cannot open record "NAME": it is another structure: expected 6 at offset 16, found 0x7',
  },
  {
    provoke: (name) => SharedMap.open(name, "utf8"),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "NAME": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: (name) => SharedMap.open(map(name).segment.name, "bytes"),
    error: "LayoutError",
    text: 'Cannot open map "NAME": it has values of another type: expected 0x1 at offset 60, found 0x2',
  },
  {
    provoke: (name) => SharedMap.open(map(name).segment.name, any("xml")),
    error: "TypeError",
    text: 'Cannot make a map of "xml" values: it is "bytes", "utf8", "json", "number", a struct, or has encode and decode',
  },
  {
    provoke: (name) => SharedMap.create(name, { size: 1000, value: "utf8" }),
    error: "RangeError",
    text: "Cannot make a map with size 1000: it must be an integer from 16 KiB to 4 GiB",
  },
  {
    provoke: (name) => SharedMap.create(name, { size: 1 << 16, value: "utf8", unitLength: 100 }),
    error: "RangeError",
    text: "Cannot make a map with unitLength 100: it must be a power of two from 64 to 4096",
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, value: "utf8", whenFull: any("panic") }),
    error: "RangeError",
    text: 'Cannot make a map with whenFull panic: it must be "refuse" or "evict"',
  },
  {
    provoke: (name) => SharedMap.create(name, { size: 1 << 16, value: "utf8", keys: any("i32") }),
    error: "RangeError",
    text: 'Cannot make a map with keys i32: it must be "utf8" or "bytes"',
  },
  {
    provoke: (name) => SharedMap.create(name, { size: 1 << 16, value: "utf8", entryLength: 0 }),
    error: "RangeError",
    text: "Cannot make a map with entryLength 0: it must be from 1 to the map's size",
  },
  {
    provoke: (name) => map(name).set("k", any(5)),
    error: "TypeError",
    text: "Cannot store number: this map's values are strings",
  },
  {
    provoke: (name) => map(name).set(any(5), "x"),
    error: "TypeError",
    text: "Cannot use 5 as a key: it is no string or Uint8Array",
  },
  {
    provoke: (name) => map(name).set("x".repeat(1025), "x"),
    error: "RangeError",
    text: "Cannot use a key of more than 1024 bytes",
  },
  {
    provoke: (name) => map(name).set("k", "x", { ttlMs: 0 }),
    error: "RangeError",
    text: "Cannot store an entry for 0 ms: it must be above 0",
  },
  {
    provoke: (name) => map(name).set("k", "x".repeat(1 << 16)),
    error: "RangeError",
    text: "Cannot store a value of 65536 bytes: this map's entries have at most 15232 bytes in all. Make the map larger",
  },
  {
    provoke: (name) =>
      map(name).update(
        "k",
        any(async () => "x"),
      ),
    error: "TypeError",
    text: "Cannot update a map with a promise: a lock is held meanwhile",
  },
  {
    provoke: (name) => nested(map(name)),
    error: "Error",
    text: 'Cannot write to map "NAME" in a callback of its own update',
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, value: "number" }).set("k", any("x")),
    error: "TypeError",
    text: "Cannot store string: this map's values are numbers",
  },
  {
    provoke: (name) => SharedMap.create(name, { size: 1 << 16, value: "bytes" }).set("k", any("x")),
    error: "TypeError",
    text: "Cannot store string: this map's values are Uint8Array",
  },
  {
    provoke: (name) => SharedMap.create(name, { size: 1 << 16, value: "json" }).set("k", undefined),
    error: "TypeError",
    text: "Cannot store undefined as JSON",
  },
  {
    provoke: (name) => filled(map(name)).increment("k"),
    error: "TypeError",
    text: "Cannot increment string: this map's values are no numbers",
  },
  {
    provoke: (name) => SharedAtomics.open(name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "NAME": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: (name) => SharedAtomics.create(name, {}),
    error: "RangeError",
    text: "Cannot name atomics: there must be from 1 to 4096, not 0",
  },
  {
    provoke: (name) => SharedAtomics.create(name, { words: ["a"], counters: ["a"] }),
    error: "RangeError",
    text: 'Cannot name atomics: "a" is there twice',
  },
  {
    provoke: (name) => SharedAtomics.create(name, { words: ["x".repeat(57)] }),
    error: "RangeError",
    text: `Cannot name atomics: "${"x".repeat(57)}" must have from 1 to 56 bytes`,
  },
  {
    provoke: (name) => SharedAtomics.open(atomics(name).segment.name, { words: ["b"] }),
    error: "LayoutError",
    text: 'Cannot open atomics "NAME": a name is missing: expected "b" at offset 128, found a, n',
  },
  {
    provoke: (name) => atomics(name).counters.n.add(-1),
    error: "RangeError",
    text: "Cannot add -1 to a counter: it must be an integer from 0 to 16777216",
  },
  {
    provoke: (name) => SharedAtomics.open(poked(atomics(name).segment, 132, 1000).name),
    error: "LayoutError",
    text: 'Cannot open atomics "NAME": its table of names is corrupt: expected 1 to 56 at offset 132, found 1000',
  },
  {
    provoke: (name) => new SharedCounter(raw(name), 4),
    error: "RangeError",
    text: "Cannot use the word at offset 4: it must be a multiple of 8, and at most 8184",
  },
  {
    provoke: (name) => new SharedWord(raw(name), 8192),
    error: "RangeError",
    text: "Cannot use the word at offset 8192: it must be a multiple of 4, and at most 8188",
  },
  {
    provoke: () => PortableSegment.create(`/${"x".repeat(31)}`, { size: 1 }),
    error: "RangeError",
    text: `Cannot use "/${"x".repeat(31)}" as a segment name: it is 32 bytes long, and at most 31 are possible on every POSIX system`,
  },
  {
    provoke: (name) => PortableSegment.open(name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "NAME": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: (name) => PortableSegment.open(raw(name).name),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open portable segment "NAME": only zeros are there. Its creator died before it had finished: openOrCreate makes it, unlink removes it',
  },
  {
    provoke: (name) => PortableSegment.create(name, { size: 0 }),
    error: "RangeError",
    text: 'Cannot create portable segment "NAME": its size in bytes must be an integer from 1 to 4294967232, not 0',
  },
  {
    provoke: (name) => {
      using made = PortableSegment.create(name, { size: 100 });
      PortableSegment.openOrCreate(made.name, { size: 99 });
    },
    error: "LayoutError",
    text: 'Cannot open portable segment "NAME": it has another size: expected 99 bytes of data at offset 64, found 100',
  },
  {
    provoke: (name) => closed(PortableSegment.create(name, { size: 8 })).data,
    error: "ClosedError",
    text: 'Cannot use portable segment "NAME": it is closed',
  },
  {
    provoke: (name) => PortableSegment.open(raw(name, {}, 8).name),
    error: "LayoutError",
    text: 'Cannot open portable segment "NAME": it is too small for its header: expected 64 bytes at offset 0, found 8',
  },
  {
    provoke: (name) => PortableSegment.open(words(name, [0x1234]).name),
    error: "LayoutError",
    text: 'Cannot open portable segment "NAME": it has another magic number: expected 0x4d485350 at offset 0, found 0x00001234',
  },
  {
    provoke: (name) => PortableSegment.open(words(name, [0x4d485350, 2]).name),
    error: "LayoutError",
    text: 'Cannot open portable segment "NAME": it has another version: expected 0x00000001 at offset 4, found 0x00000002',
  },
  {
    provoke: () => struct({ "a-b": "u8" }),
    error: "TypeError",
    text: 'Cannot name a field "a-b": C takes [A-Za-z_0-9] alone',
  },
  { provoke: () => struct({}), error: "TypeError", text: "Cannot make a struct without fields" },
  {
    provoke: () => struct({ a: any("u128") }),
    error: "TypeError",
    text: 'Cannot make field "a" of type "u128": it is one of u8, i8, u16, i16, u32, i32, f32, f64, u64, i64, bool, or made by byteArray, charArray, arrayOf or struct',
  },
  {
    provoke: () => charArray(0),
    error: "RangeError",
    text: "Cannot make a utf8 field of 0: it must be an integer from 1 to 16777216",
  },
  {
    provoke: () => arrayOf("u8", 1.5),
    error: "RangeError",
    text: "Cannot make an array field of 1.5: it must be an integer from 1 to 16777216",
  },
  {
    provoke: () => Bytes.write(view, 0, { key: new Uint8Array(4), counts: [1, 2] }),
    error: "RangeError",
    text: "Cannot write 4 bytes to a field of 5: it is written whole",
  },
  {
    provoke: () => Bytes.write(view, 0, { key: new Uint8Array(5), counts: [1] }),
    error: "RangeError",
    text: "Cannot write 1 elements to an array of 2: it is written whole",
  },
  {
    provoke: () => Bytes.at(view, 0).counts.get(3),
    error: "RangeError",
    text: "Cannot reach element 3 of an array of 2",
  },
  {
    provoke: () => json().encode(any(undefined)),
    error: "TypeError",
    text: "Cannot encode undefined as JSON",
  },
  {
    provoke: (name) => SharedRecord.create(record(name).segment, Point),
    error: "SystemError",
    code: "EEXIST",
    text: 'Cannot make record "NAME": EEXIST, file exists. A structure lies there',
  },
  {
    provoke: (name) => filled(map(name)).getInto("k", new Uint8Array(0)),
    error: "RangeError",
    text: "Cannot copy a value of 1 bytes into 0: it does not fit",
  },
  {
    provoke: (name) => SharedMap.create(name, { size: 16384, value: "utf8", unitLength: 4096 }),
    error: "RangeError",
    text: "Cannot make a map of 16256 bytes with units of 4096: it is too small",
  },
  {
    provoke: (name) =>
      SharedRecord.open(
        poked(record(name).segment, SEGMENT_HEADER_LENGTH + RECORD_LATEST, 12345),
        Point,
      ).read(),
    error: "LayoutError",
    text: "Cannot read the record: its newest slot never holds its version: expected version 12345 at offset 128, found another",
  },
];
