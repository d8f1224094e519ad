/** Values that a handle keeps. */
import { describe, expect, test } from "bun:test";
import { type Codec, Segment, SharedMap, codecs } from "../../src/index.ts";

interface User {
  readonly name: string;
}

const SIZE = 2 ** 18;
const LOCAL = { entries: 10 };

/** JSON that counts what it decodes. */
class Counting implements Codec<User> {
  readonly id = codecs.json().id;
  decoded = 0;
  encode(value: User): Uint8Array {
    return codecs.json<User>().encode(value);
  }
  decode(bytes: Uint8Array): User {
    this.decoded++;
    return codecs.json<User>().decode(bytes);
  }
}

describe("local", () => {
  test("repeated reads of one entry give the same object", () => {
    const codec = new Counting();
    using map = SharedMap.create("memfd:local", { size: SIZE, codec, local: LOCAL });
    map.set("k", { name: "ada" });
    const user = map.get("k");
    expect(map.get("k")).toBe(user!);
    expect(map.getMany(["k"])[0]).toBe(user!);
    expect([user, codec.decoded]).toEqual([{ name: "ada" }, 1]);
  });

  test("a write of another handle is seen at once", () => {
    using segment = Segment.create("memfd:local", { size: 2 * SIZE });
    const codec = codecs.json<User>();
    using writer = SharedMap.init(segment, 0, { size: SIZE, codec });
    using map = SharedMap.at(segment, 0, { codec, local: LOCAL });
    writer.set("k", { name: "ada" });
    for (let at = 0; at < 1000; at++) {
      expect(map.get("k")).toEqual({ name: at === 0 ? "ada" : `user${at - 1}` });
      // Mostly into the unit that was freed last, so that the slot's word is the same again.
      writer.set("k", { name: `user${at}` });
      if (at % 5 === 0) writer.set("k", { name: `user${at}` });
    }
    writer.delete("k");
    expect(map.get("k")).toBeUndefined();
    writer.set("k", { name: "eve" }, { ttlMs: 60_000 });
    expect(map.get("k")).toEqual({ name: "eve" });
    writer.touch("k", 1e-6);
    expect(map.get("k")).toBeUndefined();
    writer.clear();
    expect(map.get("k")).toBeUndefined();
  });

  test("it keeps about as many as it may, those that are read", () => {
    const codec = new Counting();
    using map = SharedMap.create("memfd:local", { size: SIZE, codec, local: { entries: 10 } });
    for (let at = 0; at < 100; at++) map.set(`k${at}`, { name: `${at}` });
    map.set("hot", { name: "hot" });
    const hot = map.get("hot");
    for (let at = 0; at < 100; at++) {
      map.get(`k${at}`);
      expect(map.get("hot")).toBe(hot!);
    }
    expect(codec.decoded).toBe(101);
    for (let at = 0; at < 100; at++) map.get(`k${at}`);
    expect(codec.decoded).toBeGreaterThan(190);
  });

  test("after its time a value is decoded again", async () => {
    const codec = new Counting();
    const local = { entries: 10, ttlMs: 5 };
    using map = SharedMap.create("memfd:local", { size: SIZE, codec, local });
    map.set("k", { name: "ada" });
    const first = map.get("k");
    await Bun.sleep(10);
    expect(map.get("k")).toEqual(first!);
    expect(codec.decoded).toBe(2);
  });

  test("what is read so is not evicted, and a closed handle reads nothing", () => {
    const codec = codecs.json<User>();
    const options = { size: 2 ** 14, codec, local: LOCAL, whenFull: "evict" } as const;
    using map = SharedMap.create("memfd:local", options);
    map.set("hot", { name: "hot" });
    const hot = map.get("hot");
    for (let at = 0; at < 1000; at++) {
      map.set(`k${at}`, { name: "x".repeat(60) });
      expect(map.get("hot")).toBe(hot!);
    }
    expect(map.stats().lost).toBeGreaterThan(800);
    map.close();
    expect(() => map.get("hot")).toThrow("closed");
  });

  test("bad options are refused", () => {
    const options = { size: SIZE, codec: codecs.json() };
    for (const entries of [0, 1.5, 2 ** 25]) {
      expect(() => SharedMap.create("memfd:x", { ...options, local: { entries } })).toThrow(
        RangeError,
      );
    }
    const local = { entries: 1, ttl: 5 } as { entries: number };
    expect(() => SharedMap.create("memfd:x", { ...options, local })).toThrow("ttlMs");
  });
});
