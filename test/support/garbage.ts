/** What plain JavaScript could pass instead of what is asked for. */
import { Segment } from "../../src/index.ts";

/** What a getter of garbage throws: that comes through as it is. */
export const THROWN: unique symbol = Symbol("thrown by a getter");

function thrower(): never {
  throw THROWN;
}

const detached = (): Uint8Array => {
  const bytes = new Uint8Array(8);
  bytes.buffer.transfer();
  return bytes;
};

class Instance {
  readonly #own = 1;
  get own(): number {
    return this.#own;
  }
}

const closed = Segment.create("memfd:closed", { size: 4096 });
closed.close();
const small = Segment.create("memfd:small", { size: 8 });
const zeros = Segment.create("memfd:zeros", { size: 8192 });
const readOnly = Segment.open(zeros.path!, { access: "read" });

/** Each by the name that a report gives it. */
export const GARBAGE: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  NaN: () => Number.NaN,
  "-1": () => -1,
  "-0": () => -0,
  "0": () => 0,
  "1.5": () => 1.5,
  "-1e300": () => -1e300,
  Infinity: () => Number.POSITIVE_INFINITY,
  "-Infinity": () => Number.NEGATIVE_INFINITY,
  "2^31": () => 2 ** 31,
  "2^32": () => 2 ** 32,
  "2^53": () => 2 ** 53,
  '""': () => "",
  '"x\\0y"': () => "x\0y",
  '"/x\\0y"': () => "/x\0y",
  '"\\u001b[2J"': () => "\u001b[2J\u009b\u202e\n",
  '"/\\u001b[2J"': () => "/\u001b[2J\u009b\u202e\n",
  '"5"': () => "5",
  '"/a/b"': () => "/a/b",
  '"/.."': () => "/..",
  '"__proto__"': () => "__proto__",
  '"constructor"': () => "constructor",
  "lone surrogate": () => "/\ud800",
  "long text": () => `/${"x".repeat(5000)}`,
  "{}": () => ({}),
  "frozen {}": () => Object.freeze({}),
  "null prototype": () => Object.create(null) as unknown,
  "[]": () => [],
  "[1]": () => [1],
  "[Symbol]": () => [Symbol("x")],
  "Symbol()": () => Symbol("x"),
  "1n": () => 1n,
  function: () => () => undefined,
  "async function": () => async () => undefined,
  class: () => Instance,
  "class instance": () => new Instance(),
  Date: () => new Date(0),
  "Date that is none": () => new Date(Number.NaN),
  RegExp: () => /x/g,
  Map: () => new Map([[1, 2]]),
  Promise: () => Promise.resolve(1),
  thenable: () =>
    new Proxy({}, { get: (_, key) => (key === "then" ? (done: () => void) => done() : undefined) }),
  "detached bytes": detached,
  "1 byte": () => new Uint8Array(1),
  "2000 bytes": () => new Uint8Array(2000),
  "4 words": () => new Int32Array(4),
  DataView: () => new DataView(new ArrayBuffer(3)),
  "detached DataView": () => {
    const view = new DataView(new ArrayBuffer(8));
    view.buffer.transfer();
    return view;
  },
  ArrayBuffer: () => new ArrayBuffer(8),
  "resizable bytes": () => new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 })),
  Proxy: () => new Proxy({}, {}),
  "revoked Proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "Proxy that throws": () =>
    new Proxy({}, { get: thrower, has: thrower, ownKeys: thrower, getPrototypeOf: thrower }),
  "Proxy of a segment": () => new Proxy(zeros, {}),
  "valueOf throws": () => ({ valueOf: thrower, toString: thrower, toJSON: thrower }),
  "getters throw": () =>
    new Proxy({ size: 1 }, { get: (_, key) => (typeof key === "symbol" ? undefined : thrower()) }),
  cycle: () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    return cycle;
  },
  "object of a typo": () => ({ timeoutMss: 5, siz: 1 }),
  "object of control characters": () => ({ "\u001b[31mred\u0007": 1 }),
  "inherited typo": () => Object.create({ timeoutMss: 5 }) as unknown,
  "half a signal": () => ({ throwIfAborted: () => undefined }),
  "aborted signal": () => AbortSignal.abort(THROWN),
  "huge object": () => Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`k${at}`, at])),
  "fake codec": () => ({ id: "x", encode: () => 5, decode: () => 5 }),
  "codec that throws": () => ({ id: "x", encode: thrower, decode: thrower }),
  "closed segment": () => closed,
  "small segment": () => small,
  "read-only segment": () => readOnly,
  "shape of a segment": () => Object.create(Segment.prototype) as unknown,
};

/** How a message about a garbage value reads that is not fit for people; undefined when it is. */
export function faultOf(message: string, given: string): string | undefined {
  const faults: Readonly<Record<string, RegExp>> = {
    "the engine's words":
      /is not an object|is not a function|Cannot convert|Cannot destructure|Out of bounds|evaluating|is not iterable|private (field|member|name)|JSON\.|proxy has been/i,
    "no sentence": /^(?!Cannot )/,
    "[object …]": /\[object/,
    "two spaces": / {2}/,
    "a wrong article":
      /\ba (?!u[nst]|U|one)[aeiou]|\ban (?!mpsc|spsc|hour|[aeiouAEIOU])|\ban? atomics\b/,
    "a number for a name": /\bkind \d|(?<!field .*)\btype \d/,
    "control characters": /[\p{Cc}\p{Cf}\p{Cs}]/u,
    "too long": /^.{500}/s,
    "it ends with a dot": /\.$/,
  };
  const found = Object.entries(faults).find(([, pattern]) => pattern.test(message));
  if (found !== undefined) return found[0];
  if (/(?<!not |write )undefined/.test(message) && !given.includes("undefined")) return "undefined";
  if (/\bNaN\b/.test(message) && !given.includes("NaN")) return "NaN";
  return undefined;
}
