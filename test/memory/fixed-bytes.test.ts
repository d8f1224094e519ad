import { describe, expect, test } from "bun:test";
import { Segment } from "../../src/index.ts";
import { FixedBytes } from "../../src/memory/fixed-bytes.ts";

/** So many calls that each tier of the engine makes some of them. */
const CALLS = 100_000;

function filled<T extends ArrayBufferView>(view: T): T {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 7 + 3) & 255;
  return view;
}

const bytesOf = (view: ArrayBufferView): Buffer<ArrayBuffer> =>
  Buffer.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));

/** A view of each kind that there is. */
function views(): Record<string, ArrayBufferView> {
  const resizable = new ArrayBuffer(64, { maxByteLength: 256 });
  const wasm = new WebAssembly.Memory({ initial: 1 });
  return {
    "a small array": filled(new Uint8Array(64)),
    "a part of a large one": filled(new Uint8Array(5000).subarray(101, 165)),
    "a Buffer of the pool": filled(Buffer.from("x".repeat(64))),
    "an array that follows its buffer": filled(new Uint8Array(resizable, 4)),
    "shared memory of threads": filled(new Uint8Array(new SharedArrayBuffer(64), 8, 40)),
    "memory of WebAssembly": filled(new Uint8Array(wasm.buffer, 16, 64)),
    "a DataView": filled(new DataView(new ArrayBuffer(64), 9, 20)),
    "16-bit numbers": filled(new Int16Array(new ArrayBuffer(64), 2)),
    doubles: filled(new Float64Array(8)),
    "a clamped array": filled(new Uint8ClampedArray(64)),
  };
}

describe("copies", () => {
  test("of each kind of view, in code of each tier", () => {
    using segment = Segment.create("memfd:fixed", { size: 4096 });
    const mapped = new Uint8Array(segment.buffer);
    const fixed = new FixedBytes(segment.buffer, 128, 1024);
    for (const [what, view] of Object.entries(views())) {
      const expected = bytesOf(view);
      for (let call = 0; call < CALLS; call++) {
        fixed.put(call & 511, view, view.byteLength);
        fixed.take(call & 511, view, view.byteLength);
      }
      mapped.fill(0);
      fixed.put(5, view, view.byteLength);
      expect(Buffer.from(mapped.slice(133, 133 + view.byteLength)), what).toEqual(expected);
      expect([mapped[132], mapped[133 + view.byteLength]], what).toEqual([0, 0]);
      mapped.fill(9, 133, 133 + view.byteLength);
      fixed.take(5, view, view.byteLength);
      expect(bytesOf(view), what).toEqual(Buffer.alloc(view.byteLength, 9));
    }
  });

  test("of any length", () => {
    const buffer = new ArrayBuffer(1 << 17);
    const fixed = new FixedBytes(buffer, 0, 1 << 17);
    const other = new FixedBytes(new ArrayBuffer(1 << 17), 0, 1 << 17);
    for (const length of [0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 255, 4096, 65_537, 1 << 17]) {
      const source = filled(new Uint8Array(length));
      const target = new Uint8Array(length);
      fixed.put(0, source, length);
      fixed.copyTo(other, 0, 0, length);
      other.take(0, target, length);
      expect(Bun.hash(target)).toBe(Bun.hash(source));
    }
  });

  test("that do not fit are refused, and change nothing", () => {
    const bytes = new Uint8Array(new ArrayBuffer(256));
    const fixed = new FixedBytes(bytes.buffer, 64, 64);
    const other = new FixedBytes(new ArrayBuffer(64), 0, 64);
    const view = new Uint8Array(64).fill(1);
    for (const [index, length] of [
      [-1, 8],
      [57, 8],
      [64, 1],
      [0, 65],
      [2 ** 31, 8],
      [-(2 ** 31), 8],
      [0, 2 ** 31],
      [0, 2 ** 32 + 8],
    ] as const) {
      expect(() => fixed.put(index, view, length)).toThrow(RangeError);
      expect(() => fixed.take(index, view, length)).toThrow(RangeError);
      expect(() => fixed.copyTo(other, 0, index, length)).toThrow(RangeError);
      expect(() => other.copyTo(fixed, index, 0, length)).toThrow(RangeError);
    }
    expect(() => fixed.put(0, view.subarray(60), 8)).toThrow(RangeError);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  test("with what is gone are refused", () => {
    const segment = Segment.create("memfd:fixed", { size: 4096 });
    const fixed = new FixedBytes(segment.buffer, 0, 4096);
    const gone = new Uint8Array(64);
    gone.buffer.transfer();
    const shrunk = new Uint8Array(new ArrayBuffer(64, { maxByteLength: 64 }));
    (shrunk.buffer as ArrayBuffer).resize(8);
    const view = new Uint8Array(64);
    const use = (): void => fixed.put(0, view, 64);
    for (let call = 0; call < CALLS; call++) use();
    expect(() => fixed.put(0, gone, 64)).toThrow(RangeError);
    expect(() => fixed.put(0, shrunk, 64)).toThrow(RangeError);
    segment.close();
    expect(use).toThrow(RangeError);
    expect(() => fixed.take(0, view, 64)).toThrow(RangeError);
  });

  test("with what only looks like a view are refused", () => {
    const fixed = new FixedBytes(new ArrayBuffer(64), 0, 64);
    const real = new Uint8Array(8);
    const proxy = new Proxy(real, { get: (target, key) => Reflect.get(target, key) as unknown });
    for (const fake of [proxy, { byteLength: 8 }, "12345678"]) {
      expect(() => fixed.put(0, fake as never, 8)).toThrow();
    }
  });
});
