/** Which texts and bytes are keys of a map: each is another entry, or is refused. */
import { expect, test } from "bun:test";
import { SharedMap, codecs } from "../../src/index.ts";
import { caught } from "../support/caught.ts";

const OPTIONS = { size: 2 ** 18, codec: codecs.number };
const textMap = (): SharedMap<number> => SharedMap.create("memfd:keys", OPTIONS);
const bytesMap = (): SharedMap<number, Uint8Array> =>
  SharedMap.create("memfd:keys", { ...OPTIONS, key: codecs.bytes });

const LONE = ["\ud800", "\udbff", "\udc00", "x\udfffy", `${"k".repeat(40)}\ud83d`, "\udc00\ud800"];

test("text with a lone surrogate is refused by every call that takes a key", () => {
  using map = textMap();
  map.set("\ufffd", 1);
  const calls: Record<string, (key: string) => unknown> = {
    get: (key) => map.get(key),
    getInto: (key) => map.getInto(key, new Uint8Array(8)),
    has: (key) => map.has(key),
    set: (key) => map.set(key, 2),
    setIfAbsent: (key) => map.setIfAbsent(key, 2),
    update: (key) => map.update(key, () => 2),
    increment: (key) => map.increment(key),
    delete: (key) => map.delete(key),
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const key of LONE) {
      const error = caught(() => call(key));
      expect(error, name).toBeInstanceOf(RangeError);
      expect(error).toHaveProperty("message", expect.stringContaining("lone surrogate"));
    }
  }
  expect([...map.entries()]).toEqual([["\ufffd", 1]]);
});

test("a map of text takes bytes only if they are the UTF-8 of a text", () => {
  using map = textMap();
  const broken = [[0xff, 0xfe], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0x61, 0x80]];
  for (const each of broken) {
    const key = Uint8Array.from(each) as unknown as string;
    for (const call of [
      () => map.set(key, 1),
      () => map.setIfAbsent(key, 1),
      () => map.update(key, () => 1),
      () => map.increment(key),
    ]) {
      expect(caught(call)).toBeInstanceOf(RangeError);
    }
    expect([map.get(key), map.has(key), map.delete(key)]).toEqual([undefined, false, false]);
  }
  map.set(Buffer.from("é") as unknown as string, 1);
  map.set("é", 2);
  map.set("", 3);
  map.set("\ufeffbom", 4);
  expect(map.size).toBe(3);
  for (const key of map.keys()) expect(map.delete(key)).toBe(true);
  expect(map.size).toBe(0);
});

test("a handle that reads the keys of a map of text as bytes cannot store others either", () => {
  using map = textMap();
  map.set("é", 1);
  using raw = SharedMap.open(map.segment.path!, { codec: codecs.number, key: codecs.raw });
  expect([...raw.keys()]).toEqual([Uint8Array.of(0xc3, 0xa9)]);
  expect(caught(() => raw.set(Uint8Array.of(0xc3), 1))).toBeInstanceOf(RangeError);
  for (const key of raw.keys()) expect(raw.delete(key)).toBe(true);
});

test("a map of bytes takes any bytes, and no text with a lone surrogate", () => {
  using map = bytesMap();
  const keys = [[], [0xff], [0xc3], [0xed, 0xa0, 0x80], [0]].map((each) => Uint8Array.from(each));
  for (const [at, key] of keys.entries()) map.set(key, at);
  for (const [at, key] of keys.entries()) expect(map.get(key)).toBe(at);
  expect(caught(() => map.set("\ud800", 1))).toBeInstanceOf(RangeError);
  for (const key of map.keys()) expect(map.delete(key)).toBe(true);
  expect(map.size).toBe(0);
});

test("bytes whose memory was transferred are no empty key, and no empty value", () => {
  const gone = (): Uint8Array => {
    const buffer = new ArrayBuffer(4);
    const bytes = new Uint8Array(buffer);
    buffer.transfer();
    return bytes;
  };
  using map = SharedMap.create("memfd:keys", {
    size: 2 ** 18,
    codec: codecs.bytes,
    key: codecs.bytes,
  });
  const empty = new Uint8Array(0);
  map.set(empty, Uint8Array.of(1));
  expect(caught(() => map.set(gone(), empty))).toBeInstanceOf(TypeError);
  expect(caught(() => map.get(gone()))).toBeInstanceOf(TypeError);
  expect(caught(() => map.set(empty, gone()))).toBeInstanceOf(TypeError);
  expect(caught(() => map.update(empty, gone))).toBeInstanceOf(TypeError);
  expect(map.get(empty)).toEqual(Uint8Array.of(1));
});
