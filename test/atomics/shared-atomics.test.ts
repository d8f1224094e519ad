import { afterEach, describe, expect, test } from "bun:test";
import { LayoutError, Segment, SharedAtomics, SharedCounter, SharedWord } from "../../src/index.ts";
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
    const counter = new SharedCounter(segment, 64);
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
    expect(() => new SharedCounter(segment, 4)).toThrow("a multiple of 8");
    expect(() => new SharedWord(segment, 4096)).toThrow(RangeError);
  });

  test("refuses names that are bad, twice, or missing", () => {
    expect(() => SharedAtomics.create(name(), {})).toThrow(RangeError);
    expect(() => SharedAtomics.create(name(), { words: ["a"], counters: ["a"] })).toThrow("twice");
    expect(() => SharedAtomics.create(name(), { words: ["x".repeat(57)] })).toThrow("56 bytes");
    const at = name();
    using made = SharedAtomics.create(at, { words: ["a"] });
    expect(() => SharedAtomics.open(at, { words: ["b"] })).toThrow('expected "b"');
    expect(() => SharedAtomics.open(at, { counters: ["a"] })).toThrow(LayoutError);
    expect(() => SharedAtomics.create(at, { words: ["a"] })).toThrow("EEXIST");
    made.segment.view.setUint32(128 + 4, 1000, true);
    expect(() => SharedAtomics.open(at)).toThrow(LayoutError);
    made.close();
    expect(() => made.words.a.load()).toThrow();
  });
});
