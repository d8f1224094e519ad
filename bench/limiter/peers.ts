/** What a RateLimiter is compared with. A further one is one entry more. */
import { SharedMap, struct } from "../../src/index.ts";

/** A limiter of 1000 calls a second for each key. */
export interface LimiterPeer extends Disposable {
  readonly name: string;
  tryConsume(key: string): boolean;
}

const LIMIT = 1000;
const WINDOW_MS = 1000;

/** What one writes by hand for one process: a window for each key, and no bound of memory. */
function plainMap(): LimiterPeer {
  const windows = new Map<string, { end: number; count: number }>();
  return {
    name: "a Map of fixed windows, in one process only",
    tryConsume(key) {
      const now = performance.now();
      let window = windows.get(key);
      if (window === undefined || window.end <= now) {
        window = { end: now + WINDOW_MS, count: 0 };
        windows.set(key, window);
      }
      return window.count < LIMIT && ++window.count > 0;
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** What one writes by hand over processes: a token bucket in a map. */
function sharedMap(): LimiterPeer {
  const Bucket = struct({ tokens: "f64", atMs: "f64" });
  const name = `/bench-limiter-map-${process.pid}`;
  const map = SharedMap.create(name, { size: 2 ** 22, codec: Bucket, whenFull: "evict" });
  map.unlink();
  return {
    name: "SharedMap.update of a token bucket",
    tryConsume(key) {
      const now = performance.now();
      let isAllowed = false;
      map.update(key, (bucket = { tokens: LIMIT, atMs: now }) => {
        const filled = bucket.tokens + ((now - bucket.atMs) / WINDOW_MS) * LIMIT;
        const tokens = Math.min(filled, LIMIT);
        isAllowed = tokens >= 1;
        return { tokens: isAllowed ? tokens - 1 : tokens, atMs: now };
      });
      return isAllowed;
    },
    [Symbol.dispose]: () => map.close(),
  };
}

export const PEERS: readonly (() => LimiterPeer)[] = [plainMap, sharedMap];
