/** Rows of the table of errors: rate limiters. */
import { RateLimiter } from "../../src/index.ts";
import { STRIPE_HEAD_WORDS } from "../../src/layout/limiter-layout.ts";
import { accessesPlainly } from "../../src/memory/atomics.ts";
import { localLimiter } from "../limiter/local-limiter.ts";
import { type ErrorRow, any, keep, poked } from "./provoke.ts";

const PLAIN = accessesPlainly();
const OPTIONS = { algorithm: "gcra", limit: 10, windowMs: 1000, keys: 20 } as const;

function limiter(name: string): RateLimiter {
  return keep(RateLimiter.create(name, OPTIONS));
}

/** Asks for a key while somebody scribbles over the index all the time. */
function scribbled(): void {
  const { core, memory } = localLimiter(OPTIONS, { boot: 1, nowMs: () => 1000 });
  core.create();
  core.peek(
    {
      hash: 0,
      words: new Int32Array(16),
      wordCount: 1,
      get mark() {
        memory.words[STRIPE_HEAD_WORDS] = -1;
        return 1;
      },
    },
    1,
  );
}

export const LIMITERS: readonly ErrorRow[] = [
  {
    provoke: (name) => RateLimiter.create(name, any({ ...OPTIONS, algorithm: "leaky" })),
    error: "TypeError",
    text: 'Cannot create rate limiter "NAME": its algorithm must be "gcra" or "token-bucket" or "sliding-window" or "fixed-window", not "leaky"',
  },
  {
    provoke: (name) => RateLimiter.create(name, { ...OPTIONS, limit: 0 }),
    error: "RangeError",
    text: 'Cannot create rate limiter "NAME": its limit must be an integer from 1 to 1000000000, not 0',
  },
  {
    provoke: (name) => RateLimiter.create(name, any({ ...OPTIONS, keys: undefined })),
    error: "TypeError",
    text: 'Cannot create rate limiter "NAME": its keys must be an integer from 1 to 8388608, not undefined',
  },
  {
    provoke: (name) =>
      RateLimiter.create(name, { ...OPTIONS, algorithm: "fixed-window", burst: 10 }),
    error: "TypeError",
    text: 'Cannot create rate limiter "NAME": a fixed-window has no burst; the algorithms "gcra" and "token-bucket" have one',
  },
  {
    provoke: (name) => RateLimiter.create(name, { ...OPTIONS, limit: 1e9, windowMs: 1e8 }),
    error: "RangeError",
    text: 'Cannot create rate limiter "NAME": (limit + burst) * windowMs must be at most 2^53 for a gcra, and it is 200000000000000000. Count in larger points, or over a shorter window',
  },
  {
    provoke: (name) => RateLimiter.open(poked(limiter(name).segment, 36, 0).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open rate limiter "NAME": its numbers make no rate limiter: expected 2816 bytes at offset 32, found {"algorithm":1,"limit":0,"windowMs":1000,"burst":10,"keys":20,"entryCount":20}',
  },
  {
    provoke: (name) => RateLimiter.openOrCreate(limiter(name).name, { ...OPTIONS, limit: 20 }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open rate limiter "NAME": it has a different limit: expected 20 at offset 36, found 10',
  },
  {
    provoke: (name) => limiter(name).consume("k", 11),
    error: "RangeError",
    text: 'Cannot consume from rate limiter "NAME": a cost of 11 can never be allowed, since its burst is 10',
  },
  {
    provoke: (name) => limiter(name).consume("k", 0.5),
    error: "RangeError",
    text: 'Cannot consume from rate limiter "NAME": the cost must be an integer of at least 1, not 0.5',
  },
  {
    provoke: (name) => limiter(name).penalize("k", any("2")),
    error: "TypeError",
    text: 'Cannot penalize a key of rate limiter "NAME": points must be an integer from 1 to 1000000000, not "2"',
  },
  {
    provoke: (name) => limiter(name).consume(any(5)),
    error: "TypeError",
    text: "Cannot use 5 as a key: it must be text or a Uint8Array",
  },
  {
    provoke: (name) => limiter(name).headers(any("x")),
    error: "TypeError",
    text: 'Cannot make the fields of a response: they come from a result of consume, not "x"',
  },
  {
    provoke: (name) => RateLimiter.open(limiter(name).name, { access: "read" }).consume("k"),
    error: PLAIN ? "TypeError" : "UnsupportedError",
    text: PLAIN
      ? 'Cannot consume from rate limiter "NAME": it was opened for reading only'
      : 'Cannot open rate limiter "NAME" for reading only: a look at a word writes to it on this machine',
  },
  {
    provoke: scribbled,
    error: "LayoutError",
    code: "ELAYOUT",
    text: "Cannot use the rate limiter: its index is corrupt: expected a number in range at offset 72, found 0",
  },
];
