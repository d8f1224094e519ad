/** get, set, del and keys on maps of each type. */
import { describe, expect, test } from "bun:test";
import { type Codec, Segment, SharedMap, codecs, struct } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { shm, shmJson } from "../support/shm.ts";

describe("a map", () => {
  test("of JSON is read and changed", async () => {
    const name = uniqueName("map");
    using map = SharedMap.create(name, { size: 1 << 16, codec: codecs.json() });
    map.set("user:1", { name: "ada" });
    expect((await shm("get", name, "user:1")).stdout).toBe('{"name":"ada"}\n');
    expect((await shm("set", name, "user:2", '{"name":"bob"}')).exitCode).toBe(0);
    expect(map.get("user:2")).toEqual({ name: "bob" });
    expect((await shm("set", name, "user:3", "{")).exitCode).toBe(2);
    const { stdout } = await shm("keys", name, "user:*", "--values");
    expect(stdout.trimEnd().split("\n").sort()).toEqual([
      'user:1\t{"name":"ada"}',
      'user:2\t{"name":"bob"}',
    ]);
    expect((await shm("del", name, "user:1")).exitCode).toBe(0);
    expect((await shm("del", name, "user:1")).exitCode).toBe(1);
    expect((await shm("get", name, "user:1")).exitCode).toBe(1);
    expect(await shmJson<object>("get", name, "none")).toEqual({
      key: "none",
      found: false,
      value: null,
    });
    expect(await shmJson<object>("stat", name)).toMatchObject({
      kind: "map",
      activity: { depth: 1, unit: "entries", expired: 0, lost: 0, repaired: 0 },
    });
    map.unlink();
  });

  test.each([
    ["number", "-1.5", "-1.5\n"],
    ["utf8", "Grüße", "Grüße\n"],
    ["bytes", "AB", "4142\n"],
  ] as const)("of %s takes and shows its type", async (form, typed, shown) => {
    const name = uniqueName("map");
    const codec: Codec<unknown> = codecs[form];
    using map = SharedMap.create(name, { size: 1 << 16, codec });
    expect((await shm("set", name, "k", "--ttl", "60", "--", typed)).exitCode).toBe(0);
    expect((await shm("get", name, "k")).stdout).toBe(shown);
    map.unlink();
  });

  test("of structs, with keys of bytes, is shown as the bytes that it has", async () => {
    const name = uniqueName("map");
    const codec = struct({ x: "u16" });
    using map = SharedMap.create(name, { size: 1 << 16, codec, key: codecs.bytes });
    map.set("k", { x: 0x1234 });
    expect((await shm("get", name, "k")).stdout).toBe("3412\n");
    expect((await shm("keys", name, "--values")).stdout).toBe("6b\t3412\n");
    const { exitCode, stderr } = await shm("set", name, "k", "5");
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringContaining('values are of the codec "struct:'),
    ]);
    expect((await shm("del", name, "k")).exitCode).toBe(0);
    map.unlink();
  });

  test("is not what anything else is", async () => {
    using segment = Segment.create(uniqueName("nomap"), { size: 64 });
    segment.bytes[0] = 1;
    const { exitCode, stderr } = await shm("get", segment.name, "k");
    expect([exitCode, stderr]).toEqual([6, expect.stringContaining("it is raw memory")]);
    const cat = await shm("cat", segment.name);
    expect([cat.exitCode, cat.stderr]).toEqual([
      6,
      expect.stringContaining("it is raw memory, and neither a queue nor a ring with one consumer"),
    ]);
    segment.unlink();
  });
});
