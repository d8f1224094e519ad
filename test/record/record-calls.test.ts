/** User code in the middle of a record's operation: getters, setters and callbacks. */
import { afterEach, expect, test } from "bun:test";
import {
  ClosedError,
  Segment,
  SharedRecord,
  StateError,
  arrayOf,
  struct,
} from "../../src/index.ts";
import { caught } from "../support/caught.ts";

const Point = struct({ x: "f64", inner: struct({ y: "f64", z: "f64" }), w: "f64" });
const point = (n: number) => ({ x: n, inner: { y: n, z: n }, w: n });
type Value = ReturnType<typeof point>;

let open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open) each.close();
  open = [];
});

function recordOf(initial: Value = point(1)): SharedRecord<typeof Point.schema> {
  const record = SharedRecord.create("memfd:calls", { codec: Point, initial });
  open.push(record);
  return record;
}

/** A value of 5s whose inner part calls back. */
function calling(call: () => void): Value {
  const inner = {
    get y() {
      call();
      return 5;
    },
    z: 5,
  };
  return { x: 5, inner, w: 5 };
}

test("a getter of a value that reads or writes the record", () => {
  const record = recordOf();
  record.write(
    calling(() => {
      expect(record.read()).toEqual(point(1));
      expect(record.peek()!.x).toBe(1);
    }),
  );
  expect(record.read()).toEqual(point(5));
  record.write(calling(() => void record.write(point(7))));
  expect(record.read()).toEqual(point(5));
  record.update(() => calling(() => void record.read()));
  expect(record.read()).toEqual(point(5));
  expect(record.version).toBe(5);
});

test("a getter is read once, so that what was checked is what is written", () => {
  const record = recordOf();
  const values: unknown[] = [2, "no number"];
  const inner = { y: 2, z: 2 };
  Object.defineProperty(inner, "y", { get: () => values.shift() });
  record.write({ ...point(2), inner });
  expect(record.read()).toEqual(point(2));
  const Levels = struct({ levels: arrayOf(struct({ price: "f64" }), 2) });
  const prices: unknown[] = [3, "no number"];
  const level = {
    get price() {
      return prices.shift() as number;
    },
  };
  using levels = SharedRecord.create("memfd:levels", { codec: Levels });
  levels.write({ levels: [level, { price: 4 }] });
  expect(levels.read()).toEqual({ levels: [{ price: 3 }, { price: 4 }] });
  const huge: { price: number }[] = [];
  huge.length = 2 ** 32 - 1;
  expect(caught(() => levels.write({ levels: huge }))).toBeInstanceOf(RangeError);
});

test("a setter of readInto's target that reads the record gets no mixture of two values", () => {
  const record = recordOf();
  const seen: number[] = [];
  const target = {
    set x(value: number) {
      seen.push(value);
      record.write(point(2));
      record.read();
    },
    inner: { y: 0, z: 0 },
    w: 0,
  };
  record.readInto(target as unknown as Value);
  expect([seen, target.inner, target.w]).toEqual([[1], { y: 1, z: 1 }, 1]);
});

test("in an update, writes and close are refused, and the lock is free afterwards", () => {
  const record = recordOf();
  const calls = [
    () => record.write(point(3)),
    () => record.update(() => point(3)),
    () => record.close(),
    () => record.segment.close(),
  ];
  for (const call of calls) {
    expect(caught(() => record.update(() => calling(() => void call())))).toBeInstanceOf(
      StateError,
    );
    expect(caught(() => record.update(() => (call(), point(3))))).toBeInstanceOf(StateError);
  }
  expect(record.read()).toEqual(point(1));
  record.update((old) => ({ ...old!, x: 9 }));
  expect(record.read()).toEqual({ ...point(1), x: 9 });
});

test("close in a getter of a value is followed by ClosedError, and nothing is written", () => {
  const segment = Segment.create("memfd:calls", { size: 4096 });
  open.push(segment);
  const record = SharedRecord.init(segment, 0, { codec: Point, initial: point(1) });
  expect(caught(() => record.write(calling(() => record.close())))).toBeInstanceOf(ClosedError);
  expect(SharedRecord.at(segment, 0, { codec: Point }).read()).toEqual(point(1));
});

test("an initial value that does not fit leaves the record that is overwritten as it was", () => {
  const segment = Segment.create("memfd:calls", { size: 4096 });
  open.push(segment);
  SharedRecord.init(segment, 0, { codec: Point, initial: point(1) });
  const options = { codec: Point, initial: { ...point(2), w: "2" as never }, overwrite: true };
  expect(caught(() => SharedRecord.init(segment, 0, options))).toBeInstanceOf(TypeError);
  expect(SharedRecord.at(segment, 0, { codec: Point }).read()).toEqual(point(1));
});
