/** Rows of the table of errors: structures. */
import {
  Mutex,
  PortableSegment,
  SharedAtomics,
  SharedCounter,
  SharedMap,
  SharedRecord,
  SharedWord,
  arrayOf,
  charArray,
  codecs,
  struct,
} from "../../src/index.ts";
import { SEGMENT_HEADER_LENGTH } from "../../src/layout/segment-header.ts";
import { SHARED_RECORD_LATEST_OFFSET } from "../../src/layout/shared-record-layout.ts";
import { accessesPlainly } from "../../src/memory/atomics.ts";
import {
  type ErrorRow,
  Bytes,
  Point,
  any,
  atomics,
  closed,
  countsOfClosed,
  detached,
  filled,
  map,
  nested,
  poked,
  raw,
  record,
  view,
  words,
} from "./provoke.ts";

const PLAIN = accessesPlainly();

/** A codec that decodes to a promise, as a program in plain JavaScript might have. */
const LATER = {
  id: "later",
  encode: (value: string) => Buffer.from(value),
  decode: (bytes: Uint8Array) => Promise.resolve(String(bytes)) as never,
};

export const STRUCTURES: readonly ErrorRow[] = [
  {
    provoke: (name) => map(name).getMany(any("keys")),
    error: "TypeError",
    text: 'Cannot read from map "NAME": its keys must be iterable, as an array is, not "keys"',
  },
  {
    provoke: (name) => map(name).setMany(any(["key"])),
    error: "TypeError",
    text: 'Cannot write to map "NAME": each entry must be [key, value], not "key"',
  },
  {
    provoke: (name) => {
      const one = map(name);
      one.set("key", "value");
      return one.pushLeft("key", "element");
    },
    error: "StateError",
    code: "EEXIST",
    text: 'Cannot add to the list "key" of map "NAME": the key has a value. Delete it first',
  },
  {
    provoke: (name) => map(name).touch("key", 0),
    error: "RangeError",
    text: "Cannot touch an entry: its ttlMs must be a number above 0, not 0",
  },
  {
    provoke: (name) => map(name).set("key", "x", { ttlMs: 5, staleMs: -1 }),
    error: "RangeError",
    text: "Cannot store an entry: its staleMs must be a number from 0 to 4294967295, not -1",
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, codec: codecs.number }).increment("k", 1, {
        initial: Number.NaN,
      }),
    error: "RangeError",
    text: "Cannot increment: its initial must be a finite number, not NaN",
  },
  {
    provoke: (name) => map(name).getOrSet("key", () => new Promise(() => {}), { timeoutMs: 1 }),
    error: "StateError",
    code: "ETIMEDOUT",
    text: 'Cannot get "key" from map "NAME": its load took over 1 ms',
  },
  {
    provoke: (name) => map(name).snapshot(any(5)),
    error: "TypeError",
    text: 'Cannot write a snapshot of map "NAME": its path must be text, not 5',
  },
  {
    provoke: (name) => map(name).restore("a\0b"),
    error: "RangeError",
    text: 'Cannot restore "a\\u0000b" into map "NAME": its path must not contain NUL: "a\\u0000b"',
  },
  {
    provoke: (name) => map(name).restore("/nowhere/at/all"),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot restore "/nowhere/at/all" into map "NAME": ENOENT, no such file or directory',
  },
  {
    provoke: (name) => map(name).restore(import.meta.path),
    error: "LayoutError",
    text: `Cannot restore ${JSON.stringify(import.meta.path)} into map "NAME": expected the magic "bshm-map" at offset 16, found "/** Rows"`,
  },
  {
    provoke: (name) => map(name).set("\ud800", "x"),
    error: "RangeError",
    text: 'Cannot use a key: it must be well-formed text, and it has a lone surrogate, for which there is no UTF-8: "\\ud800"',
  },
  {
    provoke: (name) => map(name).set(any(Uint8Array.of(0xff)), "x"),
    error: "RangeError",
    text: "Cannot store 1 bytes as a key: they are no UTF-8, and this map's keys are text. A map that is made with { key: codecs.bytes } takes any bytes",
  },
  {
    provoke: (name) => {
      const later = SharedMap.create(name, { size: 2 ** 16, codec: LATER });
      later.set("key", "value");
      return later.get("key");
    },
    error: "TypeError",
    text: 'Cannot decode a value: the codec "later" returned a promise, and must decode at once',
  },
  {
    provoke: (name) => SharedRecord.open(name, { codec: Point }),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "NAME": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: (name) => SharedRecord.create(record(name).segment.name, { codec: Point }),
    error: "SystemError",
    code: "EEXIST",
    text: 'Cannot create segment "NAME": EEXIST, file exists. Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink',
  },
  {
    provoke: (name) => SharedRecord.create(name, { codec: Point, slots: 3 }),
    error: "RangeError",
    text: 'Cannot create record "NAME": its slots must be a power of two from 2 to 256, not 3',
  },
  {
    provoke: (name) =>
      SharedRecord.open(record(name).segment.name, { codec: struct({ y: "f32" }) }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open record "NAME": it has a field "x" ("double x") in the place of "float y": expected struct:45874d02 (struct { float y; }) at offset 64, found struct:ff69e0c7',
  },
  {
    provoke: (name) => record(name).write({ x: 1, label: "too long for it" }),
    error: "RangeError",
    text: 'Cannot write "too long for it" to field "label": it must be text of at most 4 bytes, and has 15',
  },
  {
    provoke: (name) => record(name).write({ x: 1, label: "a\0b" }),
    error: "RangeError",
    text: 'Cannot write "a\\u0000b" to field "label": it must be text without NUL, which ends it',
  },
  {
    provoke: (name) => record(name).update(any(async () => ({ x: 1, label: "" }))),
    error: "TypeError",
    text: 'Cannot update record "NAME" with a promise: a lock is held until the callback returns, which must be with the value itself',
  },
  {
    provoke: (name) => SharedRecord.open(map(name).segment.name, { codec: Point }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open record "NAME": it is another structure: expected a record at offset 16, found a map',
  },
  {
    provoke: (name) => SharedMap.open(name, { codec: codecs.utf8 }),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "NAME": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: (name) => SharedMap.open(map(name).segment.name, { codec: codecs.bytes }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open map "NAME": it has a different codec: expected bytes at offset 64, found utf8',
  },
  {
    provoke: (name) => SharedMap.open(map(name).segment.name, { codec: any("xml") }),
    error: "TypeError",
    text: 'Cannot open map "NAME": its codec must be one of codecs, a struct, or { id, encode, decode }, not "xml"',
  },
  {
    provoke: (name) => SharedMap.create(name, { size: 1000, codec: codecs.utf8 }),
    error: "RangeError",
    text: 'Cannot create map "NAME": its size must be an integer from 16384 to 4294967296, not 1000',
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, codec: codecs.utf8, unitLength: 100 }),
    error: "RangeError",
    text: 'Cannot create map "NAME": its unitLength must be a power of two, not 100',
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, codec: codecs.utf8, whenFull: any("panic") }),
    error: "TypeError",
    text: 'Cannot create map "NAME": whenFull must be "refuse" or "evict", not "panic"',
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, codec: codecs.utf8, key: any("i32") }),
    error: "TypeError",
    text: 'Cannot create map "NAME": its key must be codecs.utf8 or codecs.bytes, not "i32"',
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, codec: codecs.utf8, entryLength: 0 }),
    error: "RangeError",
    text: 'Cannot create map "NAME": its entryLength must be an integer from 1 to 65536, not 0',
  },
  {
    provoke: (name) => map(name).set("k", any(5)),
    error: "TypeError",
    text: "Cannot encode a value: it must be a string, not 5",
  },
  {
    provoke: (name) => map(name).set(any(5), "x"),
    error: "TypeError",
    text: "Cannot use 5 as a key: it must be text or a Uint8Array",
  },
  {
    provoke: (name) => map(name).set("x".repeat(1025), "x"),
    error: "RangeError",
    text: `Cannot use "${"x".repeat(80)}…" as a key: it must have at most 1024 bytes`,
  },
  {
    provoke: (name) => map(name).set("k", "x", { ttlMs: 0 }),
    error: "RangeError",
    text: "Cannot store an entry: its ttlMs must be a number above 0, not 0",
  },
  {
    provoke: (name) => map(name).set("k", "x".repeat(1 << 16)),
    error: "RangeError",
    text: "Cannot store a value of 65536 bytes: this map's entries have at most 14720 bytes in all. Make the map larger",
  },
  {
    provoke: (name) =>
      map(name).update(
        "k",
        any(async () => "x"),
      ),
    error: "TypeError",
    text: 'Cannot update map "NAME" with a promise: a lock is held until the callback returns, which must be with the value itself',
  },
  {
    provoke: (name) => nested(map(name)),
    error: "StateError",
    code: "EDEADLK",
    text: 'Cannot write to map "NAME": a callback of its own update is running, and holds a lock',
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, codec: codecs.number }).set("k", any("x")),
    error: "TypeError",
    text: 'Cannot encode a value: it must be a number, not "x"',
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, codec: codecs.bytes }).set("k", any("x")),
    error: "TypeError",
    text: 'Cannot encode a value: it must be a Uint8Array, not "x"',
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, codec: codecs.json() }).set("k", undefined),
    error: "TypeError",
    text: "Cannot encode undefined as JSON: there is no JSON for it",
  },
  {
    provoke: (name) => filled(map(name)).increment("k"),
    error: "TypeError",
    text: 'Cannot increment "x": it is not a number',
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
    text: 'Cannot create atomics "NAME": words and counters must have 1 to 4096 names together, not 0',
  },
  {
    provoke: (name) => SharedAtomics.create(name, { words: ["a"], counters: ["a"] }),
    error: "RangeError",
    text: 'Cannot create atomics "NAME": the name "a" is there twice',
  },
  {
    provoke: (name) => SharedAtomics.create(name, { words: ["x".repeat(57)] }),
    error: "RangeError",
    text: `Cannot create atomics "NAME": a name in words must have 1 to 56 bytes, and not be "__proto__"; this is "${"x".repeat(57)}"`,
  },
  {
    provoke: (name) => SharedAtomics.open(atomics(name).segment.name, { words: ["b"] }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open atomics "NAME": a name is missing: expected word "b" at offset 128, found word "a", counter "n"',
  },
  {
    provoke: (name) => atomics(name).counters.n.add(-1),
    error: "RangeError",
    text: "Cannot add to a counter: the amount must be an integer from 0 to 16777216, not -1",
  },
  {
    provoke: (name) => SharedAtomics.open(poked(atomics(name).segment, 132, 1000).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open atomics "NAME": its table of names is corrupt: expected 1 to 56 bytes at offset 132, found 1000',
  },
  {
    provoke: (name) => SharedCounter.at(raw(name), 4),
    error: "RangeError",
    text: 'Cannot use a counter in segment "NAME": its offset must be a multiple of 8, not 4',
  },
  {
    provoke: (name) => SharedWord.at(raw(name), 8192),
    error: "RangeError",
    text: 'Cannot use a word in segment "NAME": its offset must be an integer from 0 to 8188, not 8192',
  },
  {
    provoke: () => PortableSegment.create(`/${"x".repeat(31)}`, { size: 1 }),
    error: "RangeError",
    text: `Cannot use "/${"x".repeat(31)}" as a segment name: it is 32 bytes long, and at most 31 are allowed on every POSIX system`,
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
    text: 'Cannot open portable segment "NAME": it holds only zeros, and nobody is making it',
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
    text: 'Cannot open portable segment "NAME": it has a different size: expected 99 bytes of data at offset 64, found 100',
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
    text: 'Cannot open portable segment "NAME": it has a different magic number: expected 0x4d485350 at offset 0, found 0x00001234',
  },
  {
    provoke: (name) => PortableSegment.open(words(name, [0x4d485350, 2]).name),
    error: "LayoutError",
    text: 'Cannot open portable segment "NAME": it has a different version: expected 0x00000001 at offset 4, found 0x00000002',
  },
  {
    provoke: () => struct({ "a-b": "u8" }),
    error: "TypeError",
    text: 'Cannot name a field "a-b": C takes [A-Za-z_0-9] only',
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
    text: "Cannot make a charArray: its length must be an integer from 1 to 16777216, not 0",
  },
  {
    provoke: () => arrayOf("u8", 1.5),
    error: "RangeError",
    text: "Cannot make an arrayOf: its count must be an integer from 1 to 16777216, not 1.5",
  },
  {
    provoke: () => Bytes.write(view, 0, { key: new Uint8Array(4), counts: [1, 2] }),
    error: "RangeError",
    text: 'Cannot write 4 bytes to field "key": it must be a Uint8Array of 5 bytes',
  },
  {
    provoke: () => Bytes.write(view, 0, { key: new Uint8Array(5), counts: [1] }),
    error: "RangeError",
    text: 'Cannot write 1 elements to field "counts": it must be an array of 2 elements',
  },
  {
    provoke: () => Bytes.at(view, 0).counts.get(3),
    error: "RangeError",
    text: "Cannot reach an element of an array of 2: its index must be an integer from 0 to 1, not 3",
  },
  {
    provoke: () => codecs.json().encode(any(undefined)),
    error: "TypeError",
    text: "Cannot encode undefined as JSON: there is no JSON for it",
  },
  {
    provoke: (name) => SharedRecord.init(record(name).segment, 0, { codec: Point }),
    error: "StateError",
    code: "EEXIST",
    text: 'Cannot make record at 0 in segment "NAME": there is one already. Find it with `at`, or pass { overwrite: true } when nobody uses it any more',
  },
  {
    provoke: (name) => filled(map(name)).getInto("k", new Uint8Array(0)),
    error: "RangeError",
    text: "Cannot copy a value of 1 bytes into 0: it does not fit",
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 16384, codec: codecs.utf8, unitLength: 4096 }),
    error: "RangeError",
    text: "Cannot make a map of 16256 bytes with units of 4096: it is too small",
  },
  {
    provoke: (name) =>
      SharedRecord.open(
        poked(record(name).segment, SEGMENT_HEADER_LENGTH + SHARED_RECORD_LATEST_OFFSET, 12345)
          .name,
        { codec: Point },
      ).read(),
    error: "LayoutError",
    code: "ELAYOUT",
    text: "Cannot read the record: its newest slot never holds its version: expected version 12345 at offset 128, found another",
  },
  {
    provoke: (name) => closed(record(name)).read(),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use record "NAME": it is closed',
  },
  {
    provoke: (name) => closed(map(name)).get("k"),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use map "NAME": it is closed',
  },
  {
    provoke: (name) => closed(atomics(name)).words.a.load(),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use atomics "NAME": it is closed',
  },
  {
    provoke: (name) => {
      const segment = raw(name);
      const point = Point.at(segment.view);
      segment.close();
      return point.x;
    },
    error: "ClosedError",
    code: "ECLOSED",
    text: "Cannot use the memory of a struct: it is closed",
  },
  {
    provoke: (name) => record(name).update(any(5)),
    error: "TypeError",
    text: 'Cannot update record "NAME": its callback must be a function, not 5',
  },
  {
    provoke: (name) => {
      const one = record(name);
      one.update(() => any(one.write({ x: 1, label: "" })));
    },
    error: "StateError",
    code: "EDEADLK",
    text: 'Cannot write to record "NAME": a callback of its own update is running, and holds a lock',
  },
  {
    provoke: (name) => {
      const one = record(name);
      one.update(() => any(one.close()));
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot close record "NAME": its lock is held by update',
  },
  {
    provoke: (name) => {
      const one = map(name);
      one.update("k", () => any(one.close()));
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot close map "NAME": its lock is held by update',
  },
  {
    provoke: (name) => SharedRecord.openOrCreate(record(name).name, { codec: Point, slots: 16 }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open record "NAME": it has a different count of slots: expected 16 at offset 32, found 8',
  },
  {
    provoke: (name) =>
      SharedMap.openOrCreate(map(name).name, { size: 1 << 17, codec: codecs.utf8 }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open map "NAME": it has a different size: expected 131072 at offset 32, found 65536',
  },
  {
    provoke: (name) =>
      SharedMap.openOrCreate(map(name).name, {
        size: 1 << 16,
        codec: codecs.utf8,
        whenFull: "evict",
      }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open map "NAME": it has a different whenFull: expected evict at offset 56, found refuse',
  },
  {
    provoke: (name) => SharedMap.open(map(name).name, { codec: codecs.utf8, key: codecs.bytes }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open map "NAME": it has a different kind of keys: expected bytes at offset 56, found utf8',
  },
  {
    provoke: (name) => SharedMap.create(name, any({ size: 1 << 16, value: "utf8" })),
    error: "TypeError",
    text: 'Cannot create map "NAME": there is no option "value"; it takes size, codec, key, local, whenFull, entryLength, unitLength, mode, prefault, hugePages',
  },
  {
    provoke: (name) => SharedMap.create(name, { size: 1 << 16, codec: { ...codecs.utf8, id: "" } }),
    error: "TypeError",
    text: 'Cannot create map "NAME": its codec\'s id must be a text of 1 to 64 bytes of UTF-8, not ""',
  },
  {
    provoke: (name) => SharedRecord.create(name, { codec: any(codecs.utf8) }),
    error: "TypeError",
    text: 'Cannot create record "NAME": its codec must be a struct, not an object',
  },
  {
    provoke: (name) => map(name).set("k", "x", any({ ttl: 5 })),
    error: "TypeError",
    text: 'Cannot store an entry: there is no option "ttl" (did you mean "ttlMs"?); it takes ttlMs, staleMs',
  },
  {
    provoke: (name) => map(name).getInto("k", any([])),
    error: "TypeError",
    text: "Cannot copy a value: the target must be a Uint8Array, not a value of type Array",
  },
  {
    provoke: (name) =>
      SharedMap.create(name, { size: 1 << 16, codec: codecs.number }).increment("k", Number.NaN),
    error: "RangeError",
    text: "Cannot increment by NaN: it must be a finite number",
  },
  {
    provoke: () => codecs.number.decode(new Uint8Array(3)),
    error: "LayoutError",
    code: "ELAYOUT",
    text: "Cannot decode a value as a number: it has a different length: expected 8 bytes at offset 0, found 3",
  },
  {
    provoke: () => codecs.bytes.encode(any("x")),
    error: "TypeError",
    text: 'Cannot encode a value: it must be a Uint8Array, not "x"',
  },
  {
    provoke: () => codecs.number.encode(any("x")),
    error: "TypeError",
    text: 'Cannot encode a value: it must be a number, not "x"',
  },
  {
    provoke: () => codecs.utf8.encode(any(5)),
    error: "TypeError",
    text: "Cannot encode a value: it must be a string, not 5",
  },
  {
    provoke: (name) => SharedAtomics.create(name, { words: any("a") }),
    error: "TypeError",
    text: 'Cannot create atomics "NAME": words must be an array of names, not "a"',
  },
  {
    provoke: (name) => SharedAtomics.create(name, { words: [any(5)] }),
    error: "TypeError",
    text: 'Cannot create atomics "NAME": a name in words must be text, not 5',
  },
  {
    provoke: (name) => atomics(name).words.a.store(2 ** 32),
    error: "RangeError",
    text: "Cannot change a word: the value must be an integer from -2147483648 to 4294967295, not 4294967296",
  },
  {
    provoke: (name) => atomics(name).words.a.add(any("5")),
    error: "TypeError",
    text: 'Cannot change a word: the value must be an integer from -2147483648 to 4294967295, not "5"',
  },
  {
    provoke: (name) => SharedAtomics.open(poked(atomics(name).segment, 128, 7).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open atomics "NAME": its table of names is corrupt: expected 1 (word) or 2 (counter) at offset 128, found 7',
  },
  {
    provoke: (name) => SharedAtomics.open(poked(atomics(name).segment, 32, 0).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open atomics "NAME": its table of names is corrupt: expected 1 to 4096 names at offset 32, found 0',
  },
  {
    provoke: (name) => SharedAtomics.open(poked(atomics(name).segment, 32, 9).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open atomics "NAME": its table of names is corrupt: expected as many names as fill its 384 bytes at offset 32, found 9',
  },
  {
    provoke: (name) => SharedMap.open(poked(map(name).segment, 40, 9).name, { codec: codecs.utf8 }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open map "NAME": its numbers make no map: expected 65408 bytes at offset 32, found {"stripeCount":1,"bucketCount":64,"unitCount":9,"unitWords":32}',
  },
  {
    provoke: (name) =>
      SharedRecord.open(poked(record(name).segment, 32, 16).name, { codec: Point }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open record "NAME": its slots make no record: expected 2 to 256 slots that fill its bytes at offset 32, found 16 in 1536 bytes',
  },
  {
    provoke: () => SharedWord.at(any({}), 0),
    error: "TypeError",
    text: "Cannot use a word in an object: it is not a Segment",
  },
  {
    provoke: (name) =>
      SharedMap.open(map(name).segment.name, { codec: codecs.utf8, access: "read" }).set("a", "b"),
    error: PLAIN ? "TypeError" : "UnsupportedError",
    text: PLAIN
      ? 'Cannot write to map "NAME": it was opened for reading only'
      : 'Cannot open map "NAME" for reading only: a look at a word writes to it on this machine',
  },
  {
    provoke: (name) => SharedWord.at(raw(name, { access: "read" }), 0).store(1),
    error: "TypeError",
    text: PLAIN
      ? 'Cannot change word at 0 in segment "NAME": it was opened for reading only'
      : 'Cannot use a word in segment "NAME": the segment was opened for reading only',
  },
  {
    provoke: () => struct(any(5)),
    error: "TypeError",
    text: "Cannot make a struct of 5: it must be { name: type, … }",
  },
  {
    provoke: () => Point.write(view, 0, any({ x: 1 })),
    error: "TypeError",
    text: 'Cannot write undefined to field "label": it must be text',
  },
  {
    provoke: () => Point.write(view, 0, any(5)),
    error: "TypeError",
    text: "Cannot write 5 to a struct: it must be an object",
  },
  {
    provoke: () => Point.write(view, 0, { x: any("1"), label: "" }),
    error: "TypeError",
    text: 'Cannot write "1" to field "x": it must be a number',
  },
  {
    provoke: () => Point.read(view, 250),
    error: "RangeError",
    text: "Cannot reach 16 bytes of a struct at offset 250: it must be an integer, and the view has 256 bytes",
  },
  {
    provoke: () => Point.read(any(new Uint8Array(64))),
    error: "TypeError",
    text: "Cannot reach a struct in a value of type Uint8Array: it must be in a DataView",
  },
  {
    provoke: () => Point.at(any(new Uint8Array(64))),
    error: "TypeError",
    text: "Cannot look at a struct in a value of type Uint8Array: it must be in a DataView",
  },
  {
    provoke: () => Point.at(view, -1),
    error: "RangeError",
    text: "Cannot look at a struct: its offset must be an integer of at least 0, not -1",
  },
  {
    provoke: () => Bytes.write(view, 0, { key: new Uint8Array(5), counts: [1, 65536] }),
    error: "RangeError",
    text: 'Cannot write 65536 to field "counts[1]": it must be an integer from 0 to 65535',
  },
  {
    provoke: () => Bytes.write(view, 0, { key: any("12345"), counts: [1, 2] }),
    error: "TypeError",
    text: 'Cannot write "12345" to field "key": it must be a Uint8Array of 5 bytes',
  },
  {
    provoke: () => Bytes.at(view).counts.set(0, -1),
    error: "RangeError",
    text: "Cannot write -1 to element 0: it must be an integer from 0 to 65535",
  },
  {
    provoke: () => Point.read(view, 1.5),
    error: "RangeError",
    text: "Cannot reach 16 bytes of a struct at offset 1.5: it must be an integer, and the view has 256 bytes",
  },
  {
    provoke: (name) => countsOfClosed(raw(name)).get(0),
    error: "ClosedError",
    code: "ECLOSED",
    text: "Cannot use the memory of a struct: it is closed",
  },
  {
    provoke: (name) => countsOfClosed(raw(name)).set(0, 1),
    error: "ClosedError",
    code: "ECLOSED",
    text: "Cannot use the memory of a struct: it is closed",
  },
  {
    provoke: (name) => SharedMap.create(name, any(5)),
    error: "TypeError",
    text: 'Cannot create map "NAME": its options must be an object, not 5',
  },
  {
    provoke: (name) => map(name).set(any(detached()), "x"),
    error: "TypeError",
    text: "Cannot look a key up: the memory of the key was closed or transferred",
  },
  {
    provoke: (name) => poked(raw(name), 4096, 1) && Mutex.openOrCreate(name),
    error: "LayoutError",
    text: 'Cannot make mutex "NAME": something else lies there; choose another name, or remove it with Segment.unlink if it is yours: expected a mutex at offset 4096, found 0x00000001',
  },
  {
    provoke: () => Point.readInto(view, 0, any(null)),
    error: "TypeError",
    text: "Cannot read a struct into null: it must be an object",
  },
  {
    provoke: () => Object.assign(Bytes.at(view), { counts: [1, 2] }),
    error: "TypeError",
    text: 'Cannot replace field "counts": it is a view of its own. Write its parts, or the whole struct with `write`',
  },
  {
    provoke: () => codecs.json().encode(1n),
    error: "TypeError",
    text: "Cannot encode 1 as JSON: it has a cycle, a BigInt, or a toJSON that throws",
  },
  {
    provoke: () => codecs.clone().encode(() => undefined),
    error: "TypeError",
    text: "Cannot encode a function: it cannot be cloned",
  },
  {
    provoke: () => codecs.json().decode(Buffer.from("{]")),
    error: "LayoutError",
    text: 'Cannot decode a value as JSON: it is none: expected JSON at offset 0, found "{]"',
  },
  {
    provoke: () => codecs.clone().decode(Buffer.from("{]")),
    error: "LayoutError",
    text: "Cannot decode a value as a clone: it is none: expected a clone at offset 0, found 2 bytes of something else",
  },
  {
    provoke: () => Point.toC("a b"),
    error: "RangeError",
    text: 'Cannot name a struct "a b": C takes [A-Za-z_0-9] only',
  },
  {
    provoke: () => Point.move(any(Bytes.at(view)), 0),
    error: "TypeError",
    text: "Cannot move an object: it is no accessor of this struct",
  },
  {
    provoke: (name) => Reflect.construct(SharedMap, [name, { size: 1 << 16 }]),
    error: "TypeError",
    text: "Cannot call new SharedMap: SharedMap.create makes one, SharedMap.open finds it",
  },
];
