/**
 * Asks a rate limiter until all consumers together have asked often enough. Of each allowed call it
 * records, after the answer, which key it was, and the times before and after. Arguments: names of
 * the limiter and of the record, which place in the record is its own, and how many calls there are.
 */
import { RateLimiter, Segment, SharedAtomics } from "../../src/index.ts";
import { bootMs } from "../../src/memory/boot.ts";
import { seededRandom } from "../support/random.ts";
import { LIMITER_KEYS, placeOf } from "../support/limiter-record.ts";

const [name, record, place, calls] = process.argv.slice(2) as [string, string, string, string];
using limiter = RateLimiter.open(name);
using segment = Segment.open(record);
using atomics = SharedAtomics.open(`${record}-calls`, { counters: ["calls"] });
const { counters } = atomics;

function consume(): void {
  const { count, values } = placeOf(segment, Number(place));
  const random = seededRandom(`limiter consumer ${place}`);
  const keys = Array.from({ length: LIMITER_KEYS }, (_, at) => `client ${at}`);
  let recorded = 0;
  while (counters.calls.value < Number(calls)) {
    for (let turn = 0; turn < 100; turn++) {
      const key = Math.floor(random() * LIMITER_KEYS);
      const before = bootMs();
      if (!limiter.tryConsume(keys[key]!)) continue;
      values.set([key, before, bootMs()], recorded * 3);
      Atomics.store(count, 0, ++recorded);
    }
    counters.calls.add(100);
  }
}

consume();
