/** How anything that lies in a segment is made once, found, refused and closed. */
import { afterEach, describe, expect, test } from "bun:test";
import { ClosedError, LayoutError, Segment, StateError } from "../../src/index.ts";
import { MAKING } from "../../src/layout/making.ts";
import { MAKER_BYTE } from "../../src/layout/lock-bytes.ts";
import { load, store } from "../../src/memory/atomics.ts";
import { Placed, type PlacedKind } from "../../src/segment/placed.ts";
import { uniqueName } from "../support/names.ts";
import { spawnBun } from "../support/process.ts";
import { outputUntil } from "../support/shm.ts";

const MAGIC = 0x544f59;
const LENGTH = 128;

/** A toy: a magic word, then a value. */
const TOY: PlacedKind = {
  noun: "toy",
  family: "toy",
  readable: false,
  making: { offset: 8, words: [MAKING] },
  isReady(words, what, offset) {
    const found = load(words, 0);
    if (found === 0 || found === MAGIC) return found === MAGIC;
    const details = { expected: String(MAGIC), found: String(found), offset };
    throw new LayoutError(`Cannot open ${what}: it is no toy`, details);
  },
};

const make =
  (value: number) =>
  (placed: Placed): Placed => {
    store(placed.words(), 1, value);
    store(placed.words(), 0, MAGIC);
    return placed;
  };
const find = (placed: Placed): Placed => placed;
const valueOf = (placed: Placed): number => load(placed.words(LENGTH), 1);

const names: string[] = [];
afterEach(() => {
  for (const name of names.splice(0)) Segment.unlink(name);
});

function fresh(): string {
  const name = uniqueName("placed");
  names.push(name);
  return name;
}

function errorOf(call: () => unknown): Error & { code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

describe("in a segment of its own", () => {
  test("is made, found, made or found", () => {
    const name = fresh();
    const made = Placed.create(TOY, name, LENGTH, {}, make(1));
    const found = Placed.open(TOY, name, {}, find);
    const either = Placed.openOrCreate(TOY, name, LENGTH, {}, make(2), find);
    expect([made.created, found.created, either.created]).toEqual([true, false, false]);
    expect([found.name, found.offset, valueOf(either)]).toEqual([name, 0, 1]);
    for (const placed of [made, found, either]) placed.close();
    expect(either.segment.closed).toBe(true);
    expect(Segment.inUse(name)).toBe(false);
  });

  test("of a make that throws nothing is left", () => {
    const name = fresh();
    const failing = (): never => {
      throw new Error("no toy today");
    };
    expect(() => Placed.create(TOY, name, LENGTH, {}, failing)).toThrow("no toy today");
    expect(Segment.exists(name)).toBe(false);
  });

  test("what another process made in it meanwhile is left alone", () => {
    const name = fresh();
    // The other one's openOrCreate comes between the two steps of this one's create.
    const late: PlacedKind = {
      ...TOY,
      isReady(words, what, offset) {
        if (load(words, 0) === 0) {
          Placed.openOrCreate(TOY, name, LENGTH, {}, make(7), find).close();
        }
        return TOY.isReady(words, what, offset);
      },
    };
    const error = errorOf(() => Placed.create(late, name, LENGTH, {}, make(1)));
    expect([error.name, error.code]).toEqual(["StateError", "EEXIST"]);
    const theirs = Placed.open(TOY, name, {}, find);
    expect(valueOf(theirs)).toBe(7);
    theirs.close();
  });

  test("one whose maker died is found to be, and made again", () => {
    const name = fresh();
    {
      using half = Segment.create(name, { size: LENGTH });
      new Int32Array(half.buffer)[TOY.making.offset >> 2] = MAKING;
    }
    const error = errorOf(() => Placed.open(TOY, name, {}, find));
    expect([error.name, error.code]).toEqual(["StateError", "ENODATA"]);
    expect(Segment.inUse(name)).toBe(false);
    const again = Placed.openOrCreate(TOY, name, LENGTH, {}, make(3), find);
    expect([again.created, again.fresh, valueOf(again)]).toEqual([true, false, 3]);
    again.close();
  });

  test("an empty segment that is too small for it is refused", () => {
    const name = fresh();
    Segment.create(name, { size: 64 }).close();
    const open = (): Placed => Placed.openOrCreate(TOY, name, LENGTH, {}, make(3), find);
    expect(open).toThrow(
      `Cannot make toy "${name}": its segment is too small: expected 128 bytes at offset 0, ` +
        "found 64",
    );
    expect(Segment.inUse(name)).toBe(false);
  });
});

describe("inside a segment of the user's", () => {
  const room = (): Segment => Segment.create("memfd:room", { size: 1024 });

  test("several lie side by side, and in none of them is another", () => {
    using segment = room();
    const row = [128, 256, 640].map((offset, at) =>
      Placed.init(TOY, segment, offset, LENGTH, {}, make(at + 1)),
    );
    const found = [128, 256, 640].map((offset) => Placed.at(TOY, segment, offset, LENGTH, find));
    expect(found.map(valueOf)).toEqual([1, 2, 3]);
    expect(row.map(({ offset }) => offset)).toEqual([128, 256, 640]);
    expect(segment.bytes.subarray(0, 128).every((byte) => byte === 0)).toBe(true);
    expect(segment.bytes.subarray(384, 640).every((byte) => byte === 0)).toBe(true);
  });

  test("a finished one is not made again, unless it is said so", () => {
    using segment = room();
    Placed.init(TOY, segment, 128, LENGTH, {}, make(1));
    const init = (options: object): Placed =>
      Placed.init(TOY, segment, 128, LENGTH, options, make(2));
    const error = errorOf(() => init({}));
    expect([error.name, error.code]).toEqual(["StateError", "EEXIST"]);
    expect(error.message).toBe(
      'Cannot make toy at 128 in segment "memfd:room": there is one already. Find it with `at`, ' +
        "or pass { overwrite: true } when nobody uses it any more",
    );
    expect(() => init({ overwrite: 1 })).toThrow("overwrite must be true or false, not 1");
    expect(valueOf(init({ overwrite: true }))).toBe(2);
  });

  test("one that a live process makes is waited for", async () => {
    using segment = Segment.create(fresh(), { size: 1024 });
    const maker = spawnBun(
      "test/peers/segment-peer.ts",
      "lock",
      segment.name,
      `${MAKER_BYTE + 128}`,
    );
    await outputUntil(maker, "ready");
    // Its neighbour has a lock of its own.
    expect(Placed.init(TOY, segment, 256, LENGTH, {}, make(1)).created).toBe(true);
    const killer = Bun.spawn(["sh", "-c", `sleep 0.5; kill -9 ${maker.pid}`]);
    expect(segment.isLocked(MAKER_BYTE + 128)).toBe(true);
    expect(Placed.init(TOY, segment, 128, LENGTH, {}, make(1)).created).toBe(true);
    expect(await maker.exited).toBe(137);
    expect(await killer.exited).toBe(0);
  });

  test("what is nothing, or something else, is not found", () => {
    using segment = room();
    segment.view.setUint32(256, 5, true);
    const at = (offset: number) => () => Placed.at(TOY, segment, offset, LENGTH, find);
    expect(at(128)).toThrow(StateError);
    expect(at(256)).toThrow(
      new LayoutError('Cannot open toy at 256 in segment "memfd:room": it is no toy', {
        expected: String(MAGIC),
        found: "5",
        offset: 256,
      }),
    );
    for (const offset of [-128, 64, 0.5, Number.NaN, 1024]) {
      expect(at(offset)).toThrow(RangeError);
    }
    expect(at("0" as unknown as number)).toThrow(TypeError);
    using reader = Segment.open(segment.path!, { access: "read" });
    expect(() => Placed.at(TOY, reader, 0, LENGTH, find)).toThrow("opened for reading only");
  });

  test("ends with its own close, or with the segment's", () => {
    const segment = room();
    const first = Placed.init(TOY, segment, 0, LENGTH, {}, make(1));
    const second = Placed.init(TOY, segment, 128, LENGTH, {}, make(2));
    first.close();
    first.close();
    expect([first.closed, segment.closed, second.closed]).toEqual([true, false, false]);
    expect(() => first.checkOpen()).toThrow(new ClosedError('toy at 0 in segment "memfd:room"'));
    segment.close();
    expect(second.closed).toBe(true);
    expect(() => second.checkOpen()).toThrow(ClosedError);
    expect(() => second.unlink()).toThrow(ClosedError);
  });
});
