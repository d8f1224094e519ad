import { afterEach, describe, expect, test } from "bun:test";
import {
  ClosedError,
  LayoutError,
  Segment,
  SharedAtomics,
  SharedCounter,
  SharedWord,
} from "../../src/index.ts";
import { caught } from "../support/caught.ts";
import { uniqueName } from "../support/names.ts";

let names: string[] = [];
function name(): string {
  const made = uniqueName("atomics");
  names.push(made);
  return made;
}
afterEach(() => {
  for (const each of names) Segment.unlink(each);
  names = [];
});

describe("SharedAtomics", () => {
  test("words are changed in one step, and seen by others", () => {
    const at = name();
    using one = SharedAtomics.create(at, { words: ["a", "b"], counters: ["n"] });
    using two = SharedAtomics.open(at, { words: ["a"], counters: ["n"] });
    const { a } = one.words;
    expect([a.add(5), a.or(8), a.and(12), a.exchange(-1), a.compareExchange(-1, 3)]).toEqual([
      0, 5, 13, 12, -1,
    ]);
    expect([a.compareExchange(9, 1), two.words.a.load()]).toEqual([3, 3]);
    one.words.b.store(-7);
    one.counters.n.add();
    one.counters.n.add(2 ** 24);
    expect(two.counters.n.value).toBe(2 ** 24 + 1);
    using all = SharedAtomics.open(at);
    expect([Object.keys(all.words), Object.keys(all.counters)]).toEqual([["a", "b"], ["n"]]);
    expect(all.words["b"]!.load()).toBe(-7);
  });

  test("openOrCreate makes them once", () => {
    const at = name();
    using first = SharedAtomics.openOrCreate(at, { words: ["a"] });
    first.words.a.add(5);
    using second = SharedAtomics.openOrCreate(at, { words: ["a"] });
    expect(second.words.a.load()).toBe(5);
    expect(() => SharedAtomics.openOrCreate(at, { words: ["b"] })).toThrow(LayoutError);
  });

  test("a counter counts beyond 2^32", () => {
    const at = name();
    using segment = Segment.create(at, { size: 4096 });
    const counter = SharedCounter.at(segment, 64);
    for (let turn = 1; turn <= 1024; turn++) {
      counter.add(2 ** 24);
      if (turn % 37 === 0) expect(counter.value).toBe(turn * 2 ** 24);
    }
    counter.add(3);
    expect(counter.value).toBe(2 ** 34 + 3);
    // In reach of where numbers end.
    segment.view.setUint32(68, 2 ** 22 - 1, true);
    segment.view.setUint32(64, 2 ** 32 - 1, true);
    expect(counter.value).toBe(2 ** 53 - 1);
    for (const amount of [-1, 0.5, 2 ** 24 + 1, NaN]) {
      expect(() => counter.add(amount)).toThrow(RangeError);
    }
    expect(() => SharedCounter.at(segment, 4)).toThrow("a multiple of 8");
    expect(() => SharedWord.at(segment, 4096)).toThrow(RangeError);
  });

  test("refuses names that are bad, twice, or missing", () => {
    expect(() => SharedAtomics.create(name(), {})).toThrow(RangeError);
    expect(() => SharedAtomics.create(name(), { words: ["a"], counters: ["a"] })).toThrow("twice");
    expect(() => SharedAtomics.create(name(), { words: ["x".repeat(57)] })).toThrow("56 bytes");
    for (const lone of ["\ud800", "a\udfff"]) {
      const names = [{ words: [lone] }, { counters: ["fine", lone] }];
      for (const each of names) {
        expect(() => SharedAtomics.create(name(), each)).toThrow("lone surrogate");
      }
    }
    const at = name();
    using made = SharedAtomics.create(at, { words: ["a"] });
    expect(() => SharedAtomics.open(at, { words: ["b"] })).toThrow(
      'expected word "b" at offset 128, found word "a"',
    );
    expect(() => SharedAtomics.open(at, { counters: ["a"] })).toThrow(LayoutError);
    expect(() => SharedAtomics.create(at, { words: ["a"] })).toThrow("EEXIST");
    made.segment.view.setUint32(128 + 4, 1000, true);
    expect(() => SharedAtomics.open(at)).toThrow(LayoutError);
    made.close();
    expect(() => made.words.a.load()).toThrow(ClosedError);
  });

  test("words take integers of 32 bits, signed or unsigned, and nothing else", () => {
    using segment = Segment.create("memfd:words", { size: 4096 });
    const word = SharedWord.at(segment, 64);
    const calls: [string, (value: number) => unknown][] = [
      ["store", (value) => word.store(value)],
      ["add", (value) => word.add(value)],
      ["and", (value) => word.and(value)],
      ["or", (value) => word.or(value)],
      ["exchange", (value) => word.exchange(value)],
      ["expected", (value) => word.compareExchange(value, 1)],
      ["replacement", (value) => word.compareExchange(7, value)],
    ];
    word.store(7);
    for (const [call, change] of calls) {
      for (const value of [2 ** 32, -(2 ** 31) - 1, 1.5, Number.NaN, Infinity]) {
        expect([call, value, caught(() => change(value)).name]).toEqual([
          call,
          value,
          "RangeError",
        ]);
      }
      for (const value of ["5", 5n, undefined, null, true, {}]) {
        expect([call, caught(() => change(value as number)).name]).toEqual([call, "TypeError"]);
      }
      expect([call, word.load()]).toEqual([call, 7]);
    }
    word.store(2 ** 32 - 1);
    expect([word.load(), word.add(-(2 ** 31)), word.load()]).toEqual([-1, -1, 2 ** 31 - 1]);
    word.store(-1);
    expect([word.compareExchange(2 ** 32 - 1, 2 ** 31), word.load()]).toEqual([-1, -(2 ** 31)]);
    const counter = SharedCounter.at(segment, 128);
    for (const amount of ["1", 1n, null]) {
      expect(caught(() => counter.add(amount as never)).name).toBe("TypeError");
    }
    expect(counter.value).toBe(0);
    expect([SharedWord.byteLength(), SharedCounter.byteLength()]).toEqual([4, 8]);
  });

  test("they lie inside a segment, next to each other, and end with their handle", () => {
    const names = { words: ["a", "b"], counters: ["n"] } as const;
    const length = SharedAtomics.byteLength(names);
    expect(length).toBe(128 + 256 + 3 * 128);
    using segment = Segment.create("memfd:atomics", { size: 4096 });
    segment.bytes.fill(0xa5);
    segment.bytes.fill(0, 128, 128 + 2 * length);
    using one = SharedAtomics.init(segment, 128, names);
    using two = SharedAtomics.init(segment, 128 + length, names);
    one.words.a.store(1);
    two.words.a.store(2);
    two.counters.n.add(5);
    using again = SharedAtomics.at(segment, 128 + length, { words: ["a"], counters: ["n"] });
    expect([one.words.a.load(), again.words.a.load(), again.counters.n.value]).toEqual([1, 2, 5]);
    expect([again.offset, again.created, two.created]).toEqual([128 + length, false, true]);
    const around = segment.bytes.subarray(128 + 2 * length);
    expect(around.every((byte) => byte === 0xa5)).toBe(true);
    expect(caught(() => SharedAtomics.init(segment, 128, names)).code).toBe("EEXIST");
    expect(caught(() => SharedAtomics.at(segment, 0))).toBeInstanceOf(LayoutError);
    const { a } = two.words;
    const { n } = two.counters;
    two.close();
    expect(segment.closed).toBe(false);
    for (const call of [() => a.load(), () => a.store(1), () => n.add(), () => n.value]) {
      expect(caught(call)).toBeInstanceOf(ClosedError);
    }
    expect(caught(() => a.load()).message).toBe(
      `Cannot use atomics at ${128 + length} in segment "memfd:atomics": it is closed`,
    );
    expect(again.words.a.load()).toBe(2);
    const word = SharedWord.at(segment, 8);
    segment.close();
    for (const call of [
      () => again.words.a.load(),
      () => one.counters.n.value,
      () => word.load(),
    ]) {
      expect(caught(call)).toBeInstanceOf(ClosedError);
    }
  });

  test("refuses places and options that cannot be", () => {
    using segment = Segment.create("memfd:places", { size: 4096 });
    for (const offset of [-4, 2, 4096, Number.NaN]) {
      expect(caught(() => SharedWord.at(segment, offset)).name).toBe("RangeError");
    }
    expect(caught(() => SharedCounter.at(segment, 4092)).name).toBe("RangeError");
    expect(caught(() => SharedWord.at({} as Segment, 0)).name).toBe("TypeError");
    expect(caught(() => SharedWord.at(segment, "8" as never)).name).toBe("TypeError");
    const create = (options: object): { name: string; message: string } =>
      caught(() => SharedAtomics.create(uniqueName(), options));
    expect(create({ word: ["a"] }).message).toContain('did you mean "words"?');
    expect(create({ words: "a" }).name).toBe("TypeError");
    expect(create({ words: [5] }).name).toBe("TypeError");
  });
});
