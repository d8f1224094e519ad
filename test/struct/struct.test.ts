import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { seededRandom } from "../support/random.ts";
import { testWithC } from "../support/needs.ts";
import { type Infer, arrayOf, byteArray, struct, charArray } from "../../src/struct/struct.ts";
import { ClosedError, type Codec, LayoutError, Segment } from "../../src/index.ts";
import { caught } from "../support/caught.ts";
import { C_COMPILER } from "../support/process.ts";

const Level = struct({ price: "f32", count: "u16", open: "bool" });
const Everything = struct({
  a: "u8",
  b: "u64",
  c: "i8",
  d: "u16",
  e: "bool",
  f: "i32",
  g: "i16",
  h: "f64",
  i: "u32",
  j: "f32",
  k: "i64",
  name: charArray(7),
  level: Level,
  key: byteArray(5),
  counts: arrayOf("u16", 3),
  levels: arrayOf(Level, 2),
  tail: "u8",
});
type Everything = Infer<typeof Everything>;

const level = (price: number): Infer<typeof Level> => ({ price, count: 7, open: true });
const example: Everything = {
  a: 255,
  b: 2n ** 64n - 1n,
  c: -128,
  d: 65535,
  e: true,
  f: -(2 ** 31),
  g: -32768,
  h: Math.PI,
  i: 2 ** 32 - 1,
  j: 0.5,
  k: -(2n ** 63n),
  name: "grün!",
  level: level(1.5),
  key: new Uint8Array([1, 2, 3, 4, 5]),
  counts: [1, 2, 65535],
  levels: [level(2.5), { price: -1, count: 0, open: false }],
  tail: 9,
};

describe("struct", () => {
  test("reads what it wrote, at any offset", () => {
    const view = new DataView(new ArrayBuffer(512), 8);
    for (const offset of [0, 16, 200]) {
      Everything.write(view, offset, example);
      expect(Everything.read(view, offset)).toEqual(example);
      const target = Everything.read(new DataView(new ArrayBuffer(256)));
      expect(Everything.readInto(view, offset, target)).toBe(target);
      expect(target).toEqual(example);
    }
  });

  test("writes only inside its bytes", () => {
    const memory = new Uint8Array(Everything.byteLength + 32).fill(0xaa);
    Everything.write(new DataView(memory.buffer, 16), 0, example);
    expect(memory.subarray(0, 16)).toEqual(new Uint8Array(16).fill(0xaa));
    expect(memory.subarray(16 + Everything.byteLength)).toEqual(new Uint8Array(16).fill(0xaa));
  });

  test("an accessor reads and writes the memory", () => {
    const view = new DataView(new ArrayBuffer(1024));
    Everything.write(view, 64, example);
    const one = Everything.at(view, 64);
    expect([one.a, one.b, one.c, one.d, one.e]).toEqual([255, 2n ** 64n - 1n, -128, 65535, true]);
    expect([one.name, one.key, one.level.price]).toEqual(["grün!", example.key, 1.5]);
    expect([...one.counts]).toEqual([1, 2, 65535]);
    one.f += 5;
    one.level.count = 99;
    one.counts.set(1, 4242);
    one.name = "x";
    expect(Everything.read(view, 64)).toEqual({
      ...example,
      f: -(2 ** 31) + 5,
      level: { ...level(1.5), count: 99 },
      counts: [1, 4242, 65535],
      name: "x",
    });
    expect(() => one.counts.get(3)).toThrow(RangeError);
    expect(() => one.counts.set(-1, 0)).toThrow(RangeError);
    // Moved, the inner accessors move along.
    Everything.write(view, 512, { ...example, level: level(77) });
    expect(Everything.move(one, 512)).toBe(one);
    expect([one.level.price, one.counts.get(1)]).toEqual([77, 2]);
  });

  test("two accessors of one struct do not share their inner ones", () => {
    const view = new DataView(new ArrayBuffer(1024));
    Everything.write(view, 0, { ...example, level: level(1) });
    Everything.write(view, 512, { ...example, level: level(2) });
    const [first, second] = [Everything.at(view, 0), Everything.at(view, 512)];
    expect([first.level.price, second.level.price, first.level.price]).toEqual([1, 2, 1]);
  });

  test("refuses what C cannot take, and says why", () => {
    expect(() => struct({ "a-b": "u8" })).toThrow('Cannot name a field "a-b"');
    expect(() => struct({ 1: "u8" })).toThrow("Cannot name a field");
    expect(() => struct({})).toThrow("without fields");
    expect(() => struct({ a: "u128" as "u8" })).toThrow('of type "u128": it is one of u8, i8');
    expect(() => charArray(0)).toThrow(RangeError);
    expect(() => arrayOf("u8", 1.5)).toThrow(RangeError);
    const view = new DataView(new ArrayBuffer(256));
    expect(() => Everything.write(view, 0, { ...example, name: "zu lang!" })).toThrow("and has 8");
    expect(() => Everything.write(view, 0, { ...example, name: "a\0b" })).toThrow("NUL");
    expect(() => Everything.write(view, 0, { ...example, key: new Uint8Array(4) })).toThrow(
      'Cannot write 4 bytes to field "key": it must be a Uint8Array of 5 bytes',
    );
    expect(() => Everything.write(view, 0, { ...example, counts: [1] })).toThrow(RangeError);
    expect(() => Everything.read(view, 250)).toThrow(RangeError);
  });

  test("a value that does not fit is refused, and nothing is written", () => {
    const [wide, edge] = [2 ** 128, 2 ** 128 - 2 ** 103];
    const none = ["5", true, null, undefined, 1n, {}];
    const bad: [string, "RangeError" | "TypeError", unknown[]][] = [
      ["a", "RangeError", [-1, 256, 300, 1.5, Number.NaN, Infinity]],
      ["c", "RangeError", [-129, 128, 0.5, Number.NaN]],
      ["d", "RangeError", [-1, 65536, 1.5]],
      ["g", "RangeError", [-32769, 32768, Number.NaN]],
      ["i", "RangeError", [-1, 2 ** 32, 1e300]],
      ["f", "RangeError", [-(2 ** 31) - 1, 2 ** 31, 0.1]],
      ["j", "RangeError", [wide, -wide, edge]],
      ["b", "RangeError", [-1n, 2n ** 64n]],
      ["k", "RangeError", [-(2n ** 63n) - 1n, 2n ** 63n]],
      ["a", "TypeError", none],
      ["i", "TypeError", none],
      ["h", "TypeError", none],
      ["j", "TypeError", none],
      ["b", "TypeError", [1, "1", undefined]],
      ["e", "TypeError", [0, 1, "true", undefined]],
      ["name", "TypeError", [5, undefined, new Uint8Array(7)]],
      ["key", "TypeError", ["12345", undefined, [1, 2, 3, 4, 5]]],
      ["key", "RangeError", [new Uint8Array(6)]],
      ["counts", "TypeError", [undefined, "abc", { length: 3 }]],
      [
        "counts",
        "RangeError",
        [
          [1, 2],
          [1, 2, 3, 4],
          [1, 2, 65536],
        ],
      ],
      ["level", "TypeError", [undefined, null, 5, {}, { ...level(1), count: "7" }]],
      ["level", "RangeError", [{ ...level(1), count: 65536 }]],
      ["levels", "RangeError", [[level(1), { ...level(1), price: wide }]]],
      ["tail", "RangeError", [256]],
    ];
    const view = new DataView(new ArrayBuffer(256));
    Everything.write(view, 8, example);
    const before = new Uint8Array(view.buffer.slice(0));
    const accessor = Everything.at(view, 8);
    for (const [field, kind, values] of bad) {
      for (const value of values) {
        // What is written before the bad field would be seen.
        const error = caught(() => Everything.write(view, 8, { ...example, a: 7, [field]: value }));
        expect([field, value, error.name]).toEqual([field, value, kind]);
        expect(error.message).toContain(field);
        expect(caught(() => Everything.encode({ ...example, [field]: value })).name).toBe(kind);
        if (!["level", "levels", "counts"].includes(field)) {
          expect(caught(() => Reflect.set(accessor, field, value)).name).toBe(kind);
        }
      }
    }
    for (const value of [undefined, null, 5, "x"]) {
      expect(caught(() => Everything.write(view, 8, value as never)).name).toBe("TypeError");
    }
    expect(caught(() => accessor.counts.set(1, 65536)).name).toBe("RangeError");
    expect(caught(() => accessor.counts.set(1, "5" as never)).name).toBe("TypeError");
    expect(caught(() => accessor.counts.set(1.5, 5)).name).toBe("RangeError");
    expect(caught(() => (accessor.level.count = -1)).name).toBe("RangeError");
    expect(new Uint8Array(view.buffer)).toEqual(before);
  });

  test("errors name the field, the value, and what is possible", () => {
    const view = new DataView(new ArrayBuffer(256));
    const message = (value: object): string =>
      caught(() => Everything.write(view, 0, { ...example, ...value })).message;
    expect(message({ a: 300 })).toBe(
      'Cannot write 300 to field "a": it must be an integer from 0 to 255',
    );
    expect(message({ b: 5 })).toBe(
      'Cannot write 5 to field "b": it must be a bigint from 0 to 18446744073709551615',
    );
    expect(message({ levels: [level(1), { ...level(1), open: 1 }] })).toBe(
      'Cannot write 1 to field "levels[1].open": it must be true or false',
    );
    expect(message({ counts: [1, 2, -3] })).toBe(
      'Cannot write -3 to field "counts[2]": it must be an integer from 0 to 65535',
    );
    expect(caught(() => Everything.at(view).counts.set(7, 1)).message).toContain("from 0 to 2");
    expect(caught(() => Everything.read(view, 250)).message).toContain("at offset 250");
    expect(caught(() => Everything.write(view, 250, example)).name).toBe("RangeError");
    expect(new Uint8Array(view.buffer).every((byte) => byte === 0)).toBe(true);
  });

  test("floats take NaN, the infinities, and what rounds to a float", () => {
    const Floats = struct({ f: "f32", d: "f64" });
    const view = new DataView(new ArrayBuffer(16));
    const largest = Math.fround(3.4028234663852886e38);
    for (const f of [Number.NaN, Infinity, -Infinity, -0, largest, 0.1, 1e-300]) {
      Floats.write(view, 0, { f, d: f });
      expect(Floats.read(view)).toEqual({ f: Math.fround(f), d: f });
    }
  });

  test("offsets and views are checked", () => {
    const view = new DataView(new ArrayBuffer(256));
    for (const offset of [-1, 1.5, Number.NaN, 2 ** 40]) {
      expect(caught(() => Level.read(view, offset)).name).toBe("RangeError");
      expect(caught(() => Level.readInto(view, offset, level(1))).name).toBe("RangeError");
      expect(caught(() => Level.write(view, offset, level(1))).name).toBe("RangeError");
    }
    for (const offset of [-1, 1.5, Number.NaN]) {
      expect(caught(() => Level.at(view, offset)).name).toBe("RangeError");
      expect(caught(() => Level.move(Level.at(view), offset)).name).toBe("RangeError");
    }
    for (const memory of [undefined, new Uint8Array(64), new ArrayBuffer(64)]) {
      const wrong = memory as unknown as DataView;
      expect(caught(() => Level.read(wrong)).name).toBe("TypeError");
      expect(caught(() => Level.write(wrong, 0, level(1))).name).toBe("TypeError");
      if (memory !== undefined) expect(caught(() => Level.at(wrong)).name).toBe("TypeError");
    }
    expect(caught(() => struct(5 as never)).name).toBe("TypeError");
    expect(caught(() => struct({ a: {} as "u8" })).name).toBe("TypeError");
    expect(caught(() => charArray("8" as never)).name).toBe("TypeError");
  });

  test("once the memory is closed, every access throws ClosedError", () => {
    const segment = Segment.create("memfd:struct", { size: 4096 });
    const { view } = segment;
    const one = Everything.at(view, 64);
    one.level.price = 5;
    one.counts.set(0, 1);
    const { level: inner, counts } = one;
    segment.close();
    const calls = [
      () => one.a,
      () => (one.a = 5),
      () => one.e,
      () => one.name,
      () => (one.name = "x"),
      () => one.key,
      () => one.b,
      () => one.level.price,
      () => inner.price,
      () => (inner.price = 1),
      () => counts.get(0),
      () => counts.set(0, 1),
      () => [...counts],
      () => Everything.read(view, 64),
      () => Everything.readInto(view, 64, example),
      () => Everything.write(view, 64, example),
    ];
    for (const call of calls) expect(caught(call)).toBeInstanceOf(ClosedError);
  });

  test("is a codec, whose id says which layout it is", () => {
    const Same = struct({ price: "f32", count: "u16", open: "bool" });
    const Other = struct({ price: "f32", count: "u16", open: "u8" });
    expect(Level.id).toMatch(/^struct:[0-9a-f]{8}$/);
    expect([Same.id === Level.id, Other.id === Level.id]).toEqual([true, false]);
    const codec: Codec<Infer<typeof Level>> = Level;
    const bytes = codec.encode(level(2.5));
    expect([bytes.length, codec.decode(bytes)]).toEqual([Level.byteLength, level(2.5)]);
    const padded = new Uint8Array([9, ...bytes, 9]);
    expect(codec.decode(padded.subarray(1, -1))).toEqual(level(2.5));
    expect(caught(() => codec.decode(new Uint8Array(3)))).toBeInstanceOf(LayoutError);
  });

  test("offsets follow the rules of C for any order of fields", () => {
    const kind = fc.constantFrom("u8", "i16", "u32", "f64", "bool", "i64", "f32" as const);
    const check = (kinds: ("u8" | "f64")[]): void => {
      const schema = Object.fromEntries(kinds.map((each, at) => [`f${at}`, each]));
      const { fields, byteLength, alignment } = struct(schema);
      let end = 0;
      for (const { offset, byteLength: length, alignment: own } of fields) {
        expect(offset % own).toBe(0);
        expect(offset).toBeGreaterThanOrEqual(end);
        expect(offset - end).toBeLessThan(own);
        end = offset + length;
      }
      expect(byteLength % alignment).toBe(0);
      expect(byteLength - end).toBeLessThan(alignment);
    };
    const kinds = fc.array(kind, { minLength: 1, maxLength: 12 });
    const { seed } = seededRandom("orders of fields");
    fc.assert(
      fc.property(kinds, (some) => check(some as ("u8" | "f64")[])),
      { seed: seed | 0 },
    );
  });

  testWithC("a C compiler finds the same offsets and bytes", () => {
    const directory = mkdtempSync(join(tmpdir(), "bun-shm-struct-"));
    try {
      const prints = Everything.fields.map(
        ({ name }) =>
          `  printf("${name} %zu %zu\\n", offsetof(Everything, ${name}), sizeof x.${name});`,
      );
      const source = `#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>
#include <stdio.h>\n#include <string.h>\n${Everything.toC("Everything")}
int main(void) {
  static Everything x;
${prints.join("\n")}
  printf("all %zu %zu\\n", sizeof x, _Alignof(Everything));
  if (fread(&x, sizeof x, 1, stdin) != 1) return 1;
  printf("%d %d %.17g %s %g %d %d\\n", x.f, x.tail, x.h, x.name, x.level.price, x.counts[2],
         x.levels[1].open);
  return 0;
}\n`;
      writeFileSync(join(directory, "a.c"), source);
      const flags = ["-std=c11", "-Wall", "-Wextra", "-Werror"];
      const command = [C_COMPILER!, ...flags, "-o", join(directory, "a"), join(directory, "a.c")];
      const built = Bun.spawnSync(command);
      expect(built.stderr.toString()).toBe("");
      const memory = new Uint8Array(Everything.byteLength);
      Everything.write(new DataView(memory.buffer), 0, example);
      const { stdout } = Bun.spawnSync([join(directory, "a")], { stdin: memory });
      const expected = Everything.fields.map((f) => `${f.name} ${f.offset} ${f.byteLength}`);
      expect(stdout.toString().trim().split("\n")).toEqual([
        ...expected,
        `all ${Everything.byteLength} ${Everything.alignment}`,
        "-2147483648 9 3.1415926535897931 grün! 1.5 65535 0",
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
