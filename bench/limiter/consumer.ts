/** One of the processes that use a limiter; it prints how many millions of calls a second it did. */
import { RateLimiter } from "../../src/index.ts";

const [name = "", milliseconds = "500"] = process.argv.slice(2);
const limiter = RateLimiter.open(name);
const keys = Array.from({ length: 10_000 }, (_, at) => `user:${at}`);

const run = (forMs: number): number => {
  const end = performance.now() + forMs;
  let count = 0;
  while (performance.now() < end) {
    for (const key of keys) limiter.tryConsume(key);
    count += keys.length;
  }
  return count;
};

run(200);
console.log("ready");
for await (const _ of Bun.stdin.stream()) break;
const start = performance.now();
const count = run(Number(milliseconds));
console.log(count / (performance.now() - start) / 1000);
process.exit(0);
