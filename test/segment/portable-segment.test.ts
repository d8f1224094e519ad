/** The classic shape, between Bun and C. */
import { describe, expect, test } from "bun:test";
import { ClosedError, LayoutError, PortableSegment, Segment, StateError } from "../../src/index.ts";
import { MAKING } from "../../src/layout/making.ts";
import { PORTABLE_MAKING } from "../../src/layout/portable-layout.ts";
import { TEST_PREFIX } from "../support/names.ts";
import { testWithC } from "../support/needs.ts";
import { compileC } from "../support/process.ts";

let count = 0;
/** Short enough for every system. */
const shortName = (): string => `/${TEST_PREFIX}p${++count}`;

describe("PortableSegment", () => {
  test("is made, found, and removed", () => {
    const name = shortName();
    using made = PortableSegment.create(name, { size: 100, mode: 0o640 });
    made.data.fill(9);
    expect([made.name, made.created, made.closed, made.segment.mode]).toEqual([
      name,
      true,
      false,
      0o640,
    ]);
    expect([made.data.length, made.data.byteOffset, made.segment.size]).toEqual([100, 64, 164]);
    using same = PortableSegment.open(name);
    expect([same.data[99], same.creatorPid, same.created]).toEqual([9, process.pid, false]);
    expect(() => PortableSegment.create(name, { size: 1 })).toThrow("EEXIST");
    expect(PortableSegment.unlink(name)).toBe(true);
    expect(made.unlink()).toBe(false);
    expect(PortableSegment.unlink(name)).toBe(false);
    expect(() => PortableSegment.open(name)).toThrow("ENOENT");
    expect(() => PortableSegment.open(name, { waitMs: 5 })).toThrow("ENOENT");
  });

  test("openOrCreate makes it or finds it, and compares its size", () => {
    const name = shortName();
    using made = PortableSegment.openOrCreate(name, { size: 100 });
    using found = PortableSegment.openOrCreate(name, { size: 100 });
    expect([made.created, found.created, found.data.length]).toEqual([true, false, 100]);
    expect(() => PortableSegment.openOrCreate(name, { size: 99 })).toThrow(
      `Cannot open portable segment "${name}": it has a different size: expected 99 bytes of data ` +
        "at offset 64, found 100",
    );
    expect(made.unlink()).toBe(true);
    expect(made.unlink()).toBe(false);
  });

  test("openOrCreate finishes what a creator that died left, of that size only", () => {
    const name = shortName();
    {
      using half = Segment.create(name, { size: 164 });
      new Int32Array(half.buffer)[PORTABLE_MAKING.offset >> 2] = MAKING;
    }
    expect(() => PortableSegment.openOrCreate(name, { size: 99 })).toThrow(LayoutError);
    using made = PortableSegment.openOrCreate(name, { size: 100 });
    expect([made.created, made.creatorPid]).toEqual([true, process.pid]);
    using same = PortableSegment.open(name);
    expect(same.created).toBe(false);
    expect(made.unlink()).toBe(true);
  });

  test("after close, or that of its segment, it throws ClosedError", () => {
    for (const which of ["handle", "segment"]) {
      const name = shortName();
      const portable = PortableSegment.create(name, { size: 8 });
      const { data } = portable;
      PortableSegment.unlink(name);
      if (which === "handle") portable.close();
      else portable.segment.close();
      for (const use of [() => portable.data, () => portable.creatorPid, () => portable.unlink()]) {
        expect(use).toThrow(new ClosedError(`portable segment "${name}"`));
      }
      expect([portable.closed, portable.name, portable.created, data.length]).toEqual([
        true,
        name,
        true,
        0,
      ]);
      portable.close();
    }
  });

  test("arguments are checked", () => {
    const create = (options: unknown) => () =>
      PortableSegment.create("/never", options as { size: number });
    expect(create(4096)).toThrow("its options must be an object, not 4096");
    expect(create(undefined)).toThrow("its size in bytes must be an integer from 1 to");
    expect(create({ size: 0 })).toThrow(RangeError);
    expect(create({ size: 1, mode: -1 })).toThrow(RangeError);
    expect(create({ size: 1, access: "read" })).toThrow('no option "access"');
    expect(() => PortableSegment.open("/never", { wait: 1 } as object)).toThrow('mean "waitMs"?');
    expect(() => PortableSegment.open("/never", { waitMs: -1 })).toThrow(RangeError);
    expect(Segment.exists("/never")).toBe(false);
  });

  test("names have at most 31 bytes", () => {
    expect(() => PortableSegment.create(`/${"x".repeat(31)}`, { size: 1 })).toThrow("at most 31");
    expect(() => PortableSegment.open("clock")).toThrow('must start with "/"');
  });

  test("what is something else is refused, with the first difference", () => {
    const name = shortName();
    using segment = Segment.create(name, { size: 128 });
    expect(() => PortableSegment.open(name)).toThrow(StateError);
    segment.view.setUint32(0, 0x1234, true);
    expect(() => PortableSegment.open(name)).toThrow(LayoutError);
    segment.view.setUint32(0, 0x4d485350, true);
    segment.view.setUint32(4, 2, true);
    expect(() => PortableSegment.open(name)).toThrow("a different version");
    segment.unlink();
    using small = Segment.create(name, { size: 63 });
    expect(() => PortableSegment.open(name)).toThrow("expected 64 bytes at offset 0, found 60");
    small.unlink();
  });

  testWithC("C and Bun read each other's", () => {
    const program = compileC("test/peers/portable.c");
    const [ours, theirs] = [shortName(), shortName()];
    using made = PortableSegment.create(ours, { size: 100 });
    made.data[0] = 41;
    const { stdout } = Bun.spawnSync([program, "answer", ours]);
    expect(stdout.toString()).toBe(`100 ${process.pid} 41\n`);
    expect(made.data[1]).toBe(42);
    const { exitCode, pid } = Bun.spawnSync([program, "create", theirs]);
    expect(exitCode).toBe(0);
    using found = PortableSegment.open(theirs);
    expect([found.data[0], found.creatorPid]).toEqual([7, pid]);
    PortableSegment.unlink(ours);
    PortableSegment.unlink(theirs);
  });
});
