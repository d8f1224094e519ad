/** The classic shape, between Bun and C. */
import { describe, expect, test } from "bun:test";
import { LayoutError, PortableSegment, Segment } from "../../src/index.ts";
import { TEST_PREFIX } from "../support/names.ts";
import { C_COMPILER, compileC } from "../support/process.ts";

let count = 0;
/** Short enough for every system. */
const shortName = (): string => `/${TEST_PREFIX}p${++count}`;

describe("PortableSegment", () => {
  test("is made, found, and removed", () => {
    const name = shortName();
    using made = PortableSegment.create(name, 100);
    made.data.fill(9);
    expect([made.data.length, made.data.byteOffset, made.segment.size]).toEqual([100, 64, 164]);
    using same = PortableSegment.open(name);
    expect([same.data[99], same.creatorPid]).toEqual([9, process.pid]);
    expect(() => PortableSegment.create(name, 1)).toThrow("EEXIST");
    expect(PortableSegment.unlink(name)).toBe(true);
    expect(PortableSegment.unlink(name)).toBe(false);
    expect(() => PortableSegment.open(name)).toThrow("ENOENT");
  });

  test("names have at most 31 bytes", () => {
    expect(() => PortableSegment.create(`/${"x".repeat(31)}`, 1)).toThrow("at most 31");
    expect(() => PortableSegment.open("clock")).toThrow('must start with "/"');
  });

  test("what is something else is refused, with the first difference", () => {
    const name = shortName();
    using segment = Segment.create(name, { size: 128 });
    expect(() => PortableSegment.open(name)).toThrow("ENODATA");
    segment.view.setUint32(0, 0x1234, true);
    expect(() => PortableSegment.open(name)).toThrow(LayoutError);
    segment.view.setUint32(0, 0x4d485350, true);
    segment.view.setUint32(4, 2, true);
    expect(() => PortableSegment.open(name)).toThrow("another version");
    segment.unlink();
  });

  test.skipIf(C_COMPILER === undefined)("C and Bun read each other's", () => {
    const program = compileC("test/peers/portable.c");
    const [ours, theirs] = [shortName(), shortName()];
    using made = PortableSegment.create(ours, 100);
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
