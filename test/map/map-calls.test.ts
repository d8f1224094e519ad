/** User code in the middle of a map's operation: codecs, options, callbacks and iterations. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  type Codec,
  ClosedError,
  Segment,
  SharedMap,
  StateError,
  codecs,
  struct,
} from "../../src/index.ts";
import { caught } from "../support/caught.ts";

const SIZE = 2 ** 18;

/** Text, by a codec that calls back. */
class Curious implements Codec<string> {
  readonly id = "curious/1";
  onEncode: (() => void) | undefined;
  onDecode: (() => void) | undefined;

  encode(value: string): Uint8Array {
    const call = this.onEncode;
    this.onEncode = undefined;
    call?.();
    return Buffer.from(value);
  }

  decode(bytes: Uint8Array): string {
    const call = this.onDecode;
    this.onDecode = undefined;
    call?.();
    return Buffer.from(bytes).toString();
  }
}

let open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open) each.close();
  open = [];
});

function mapOf<V>(codec: Codec<V>): SharedMap<V> {
  const map = SharedMap.create("memfd:calls", { size: SIZE, codec });
  open.push(map);
  return map;
}

function filled(): { map: SharedMap<string>; codec: Curious } {
  const codec = new Curious();
  const map = mapOf(codec);
  for (let at = 0; at < 40; at++) map.set(`key${at}`, `value${at}`);
  return { map, codec };
}

/** Every entry is found under the key that it is listed with, and no other one is there. */
function expectEntries(map: SharedMap<string>, changed: Record<string, string>): void {
  const expected = new Map<string, string>();
  for (let at = 0; at < 40; at++) expected.set(`key${at}`, `value${at}`);
  for (const [key, value] of Object.entries(changed)) expected.set(key, value);
  expect(new Map(map.entries())).toEqual(expected);
  for (const [key, value] of expected) expect(map.get(key)).toBe(value);
  expect(map.size).toBe(expected.size);
}

describe("a codec that uses its own map", () => {
  const reads: Record<string, (map: SharedMap<string>) => unknown> = {
    get: (map) => map.get("key7"),
    has: (map) => map.has("none"),
    getInto: (map) => map.getInto("key9", new Uint8Array(100)),
    entries: (map) => [...map.entries()],
    keys: (map) => [...map.keys()],
  };
  for (const [name, read] of Object.entries(reads)) {
    test(`${name} in encode`, () => {
      const { map, codec } = filled();
      codec.onEncode = () => void read(map);
      expect(map.set("key1", "set")).toBe(true);
      codec.onEncode = () => void read(map);
      expect(map.setIfAbsent("new", "absent")).toBe(true);
      codec.onEncode = () => void read(map);
      expect(map.update("key2", () => "updated")).toBe(true);
      expectEntries(map, { key1: "set", new: "absent", key2: "updated" });
    });

    test(`${name} in decode`, () => {
      const { map, codec } = filled();
      codec.onDecode = () => void read(map);
      expect(map.get("key1")).toBe("value1");
      codec.onDecode = () => void read(map);
      expect(map.update("key2", (old) => `${old} and more`)).toBe(true);
      codec.onDecode = () => void read(map);
      expect(new Map(map.entries()).size).toBe(40);
      expectEntries(map, { key2: "value2 and more" });
    });
  }

  test("set in encode and in decode stores both values", () => {
    const { map, codec } = filled();
    codec.onEncode = () => void map.set("inner", "a longer value of the inner call");
    map.set("key1", "outer");
    codec.onDecode = () => void map.set("key2", "replaced");
    expect(map.get("key2")).toBe("value2");
    codec.onEncode = () => void map.delete("key3");
    map.set("key3", "back");
    expectEntries(map, {
      inner: "a longer value of the inner call",
      key1: "outer",
      key2: "replaced",
      key3: "back",
    });
  });

  test("a write during the codec of an update is refused, and changes nothing", () => {
    const writes: Record<string, (map: SharedMap<string>) => unknown> = {
      set: (map) => map.set("key5", "no"),
      setIfAbsent: (map) => map.setIfAbsent("key55", "no"),
      delete: (map) => map.delete("key5"),
      update: (map) => map.update("key5", () => "no"),
      clear: (map) => map.clear(),
      close: (map) => map.close(),
      "the segment's close": (map) => map.segment.close(),
      "the segment's resize": (map) => map.segment.resize(2 * SIZE),
    };
    for (const [name, write] of Object.entries(writes)) {
      const { map, codec } = filled();
      for (const when of ["onEncode", "onDecode"] as const) {
        codec[when] = () => void write(map);
        const error = caught(() => map.update("key1", (old) => `${old}!`));
        expect(error, `${name} in ${when}`).toBeInstanceOf(StateError);
        expectEntries(map, {});
      }
      expect(map.set("key1", "free again")).toBe(true);
    }
  });

  test("an error of the codec in an update changes nothing, and frees the lock", () => {
    const { map, codec } = filled();
    for (const when of ["onEncode", "onDecode"] as const) {
      codec[when] = () => {
        throw new Error("mine");
      };
      expect(caught(() => map.update("key1", () => "no"))).toHaveProperty("message", "mine");
      expectEntries(map, {});
    }
    expect(map.delete("key1")).toBe(true);
  });

  test("close in encode is followed by ClosedError, also in a segment of the user's", () => {
    const segment = Segment.create("memfd:calls", { size: SIZE });
    open.push(segment);
    const codec = new Curious();
    const map = SharedMap.init(segment, 0, { size: SIZE, codec });
    codec.onEncode = () => map.close();
    expect(caught(() => map.set("key", "value"))).toBeInstanceOf(ClosedError);
    expect([...SharedMap.at(segment, 0, { codec }).keys()]).toEqual([]);
  });

  test("a codec that decodes to a promise is refused", () => {
    const later = {
      id: "later/1",
      encode: (value: string) => Buffer.from(value),
      decode: (bytes: Uint8Array) => Promise.resolve(Buffer.from(bytes).toString()),
    };
    const map = mapOf(later as unknown as Codec<string>);
    map.set("key", "value");
    const calls = [
      () => map.get("key"),
      () => map.update("key", () => "x"),
      () => [...map.values()],
    ];
    for (const call of calls) {
      const error = caught(call);
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toHaveProperty(
        "message",
        expect.stringContaining('"later/1" returned a promise'),
      );
    }
  });
});

test("toJSON that uses the map", () => {
  const map = mapOf<unknown>(codecs.json());
  map.set("config", { a: 1 });
  const value = {
    toJSON() {
      map.get("config");
      return { b: 2 };
    },
  };
  map.set("set", value);
  map.update("update", () => value);
  const nested = { toJSON: () => map.set("inner", value) };
  map.set("outer", nested);
  expect(Object.fromEntries(map.entries())).toEqual({
    config: { a: 1 },
    set: { b: 2 },
    update: { b: 2 },
    inner: { b: 2 },
    outer: true,
  });
});

test("getters of a struct's value that write to the map", () => {
  const Point = struct({ x: "f64", inner: struct({ y: "f64", z: "f64" }), w: "f64" });
  const map = mapOf(Point);
  const point = (n: number) => ({ x: n, inner: { y: n, z: n }, w: n });
  const inner = {
    get y() {
      map.set("other", point(7));
      return 1;
    },
    z: 1,
  };
  map.set("one", { x: 1, inner, w: 1 });
  expect(map.get("one")).toEqual(point(1));
  expect(map.get("other")).toEqual(point(7));
});

test("an option's getter that uses the map", () => {
  const { map } = filled();
  const options = (call: () => void) => ({
    get ttlMs() {
      call();
      return 60_000;
    },
  });
  map.set(
    "key1",
    "one",
    options(() => void map.get("key30")),
  );
  map.update(
    "key2",
    () => "two",
    options(() => void map.set("key31", "changed")),
  );
  map.setIfAbsent(
    "new",
    "three",
    options(() => void map.set("key32", "a longer value")),
  );
  expectEntries(map, {
    key1: "one",
    key2: "two",
    key31: "changed",
    key32: "a longer value",
    new: "three",
  });
});

test("a key of bytes that the callback of update changes", () => {
  const codec = codecs.number;
  const map = SharedMap.create("memfd:calls", { size: SIZE, codec, key: codecs.bytes });
  open.push(map);
  const key = Uint8Array.of(1, 2, 3);
  map.update(key, () => {
    key.fill(9);
    return 5;
  });
  expect([...map.entries()]).toEqual([[Uint8Array.of(1, 2, 3), 5]]);
  expect(map.get(Uint8Array.of(1, 2, 3))).toBe(5);
  expect(map.get(key)).toBe(undefined);
});

describe("an iteration whose body", () => {
  test("writes, deletes and iterates sees each old entry once, and no value of another key", () => {
    const { map } = filled();
    const seen: string[] = [];
    for (const [key, value] of map) {
      if (key.startsWith("new")) continue;
      expect(value).toBe(key.replace("key", "value"));
      seen.push(key);
      map.set(`new${key}`, "x".repeat(seen.length * 20));
      expect([...map.keys()].length).toBe(map.size);
      map.delete(key);
    }
    expect(seen.toSorted()).toEqual(Array.from({ length: 40 }, (_, at) => `key${at}`).toSorted());
    expect(map.size).toBe(40);
  });

  test("clears the map ends, and one that closes the map throws ClosedError", () => {
    const { map } = filled();
    let turns = 0;
    for (const _ of map.keys()) {
      turns++;
      map.clear();
    }
    expect(turns).toBe(1);
    map.set("one", "1");
    map.set("two", "2");
    const error = caught(() => {
      for (const _ of map) map.close();
    });
    expect(error).toBeInstanceOf(ClosedError);
  });
});
