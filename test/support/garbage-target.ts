/** What the walks over the public surface call. */
import {
  type Schema,
  Segment,
  type Struct,
  arrayOf,
  byteArray,
  charArray,
  struct,
} from "../../src/index.ts";

/** Something to be called. */
export interface Target {
  readonly on: object;
  /** Whose bytes a refused call must leave alone. */
  readonly segment?: Segment | undefined;
  /** Whether calls could leave objects. */
  readonly named?: boolean;
  readonly isClass?: boolean;
  /** Whether it is made again after a call that did something. Default true. */
  readonly fresh?: boolean;
  readonly skip?: readonly string[];
  /** Methods that leave marks of their own, refused or not: locks that they took, looks that count. */
  readonly marks?: readonly string[];
  /** Arguments of each method that has some. */
  readonly sound?: Readonly<Record<string, readonly unknown[] | (() => readonly unknown[])>>;
  /** Names of options that are not among the sound arguments. */
  readonly options?: Readonly<Record<string, readonly string[]>>;
  end(): void;
}

export const OFFSET = 128;
/** Where there is one already. */
export const FOUND: number = 1 << 15;
export const WAIT: { readonly timeoutMs: number } = { timeoutMs: 0 };
export const WAITS: readonly string[] = ["signal"];
export const ASYNC: readonly string[] = ["signal", "ref"];

const made = struct({
  price: "f64",
  size: "u32",
  on: "bool",
  big: "u64",
  label: charArray(4),
  key: byteArray(3),
  levels: arrayOf("i16", 2),
  inner: struct({ x: "u8" }),
});
/** One field of each sort. */
export const Quote: Struct<Schema> = made as unknown as Struct<Schema>;
/** A value of it. */
export function quote(): object {
  return {
    price: 1,
    size: 2,
    on: true,
    big: 5n,
    label: "abcd",
    key: new Uint8Array(3),
    levels: [1, 2],
    inner: { x: 1 },
  };
}

/** Ends the use of these, in this order. */
export function end(...handles: readonly { close(): void }[]): () => void {
  return () => {
    for (const handle of handles) handle.close();
  };
}

/** Something made in a segment of its own kind, beside zeros. */
export function placed(
  init: (segment: Segment) => { close(): void },
  more: Omit<Target, "on" | "end">,
  size: number = 1 << 15,
): () => Target {
  return () => {
    const segment = Segment.create("memfd:garbage", { size });
    const on = init(segment);
    return { on, segment, ...more, end: end(on, segment) };
  };
}
