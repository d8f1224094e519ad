import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { type Infer, arrayOf, byteArray, struct, charArray } from "../../src/struct/struct.ts";
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

  test("writes inside its bytes alone", () => {
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
    expect(() => Everything.write(view, 0, { ...example, name: "zu lang!" })).toThrow("it has 8");
    expect(() => Everything.write(view, 0, { ...example, name: "a\0b" })).toThrow("NUL");
    expect(() => Everything.write(view, 0, { ...example, key: new Uint8Array(4) })).toThrow(
      "Cannot write 4 bytes to a field of 5",
    );
    expect(() => Everything.write(view, 0, { ...example, counts: [1] })).toThrow(RangeError);
    expect(() => Everything.read(view, 250)).toThrow(RangeError);
  });

  test("offsets follow the rules of C for any order of fields", () => {
    const kind = fc.constantFrom("u8", "i16", "u32", "f64", "bool", "i64", "f32" as const);
    const check = (kinds: ("u8" | "f64")[]): void => {
      const schema = Object.fromEntries(kinds.map((each, at) => [`f${at}`, each]));
      const { fields, byteLength, alignment } = struct(schema);
      let end = 0;
      for (const { offset, byteLength: length, field } of fields) {
        expect(offset % field.alignment).toBe(0);
        expect(offset).toBeGreaterThanOrEqual(end);
        expect(offset - end).toBeLessThan(field.alignment);
        end = offset + length;
      }
      expect(byteLength % alignment).toBe(0);
      expect(byteLength - end).toBeLessThan(alignment);
    };
    const kinds = fc.array(kind, { minLength: 1, maxLength: 12 });
    fc.assert(fc.property(kinds, (some) => check(some as ("u8" | "f64")[])));
  });

  test.skipIf(C_COMPILER === undefined)("a C compiler finds the same offsets and bytes", () => {
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
