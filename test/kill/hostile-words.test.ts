/**
 * A hostile process changes the words of every noun at full speed while others use them: nobody
 * crashes, hangs, or gets an error of the engine. The long form takes an hour.
 */
import { describe, expect, test } from "bun:test";
import { runHostile } from "../support/hostile-campaign.ts";
import { HOSTILE_NOUNS } from "../support/hostile-nouns.ts";
import { SOAK } from "../support/kill.ts";
import { seededRandom } from "../support/random.ts";

const kinds = Object.keys(HOSTILE_NOUNS);
/** How many campaigns run at the same time, each with its share of the nouns. */
const CAMPAIGNS = SOAK ? 1 : 6;
const HOUR_MS = 3_600_000;
/** In each of the two ways. */
const MILLISECONDS = SOAK ? HOUR_MS / 2 / kinds.length : 30_000;
const random = seededRandom("hostile words");

/** Runs campaigns at the same time; together they attack these nouns. */
async function attack(bytes: "everything" | "locks", attacked: readonly string[]): Promise<void> {
  const shares = Array.from({ length: CAMPAIGNS }, (_, share) =>
    attacked.filter((_kind, at) => at % CAMPAIGNS === share),
  );
  const results = await Promise.all(
    shares.map((share) => {
      const seed = Math.floor(random() * 2 ** 32);
      return runHostile({
        kinds: share,
        bytes,
        victims: SOAK ? 3 : 2,
        milliseconds: MILLISECONDS,
        seed,
      });
    }),
  );
  expect(results.flatMap(({ faults }) => faults)).toEqual([]);
  const counts = results.flatMap((result) => result.counts);
  console.log(counts.join("\n"));
  for (const kind of attacked) {
    const lines = counts.filter((line) => line.startsWith(`${kind}: `));
    expect(lines.length).toBeGreaterThan(0);
    // Each victim did something.
    expect(lines.filter((line) => line.startsWith(`${kind}: 0 done`))).toEqual([]);
  }
}

describe("hostile words", () => {
  const groups = SOAK ? kinds.map((kind) => [kind]) : [kinds];
  for (const bytes of ["everything", "locks"] as const) {
    for (const group of groups) {
      const what = group.length === 1 ? group[0]! : "all nouns";
      test(`over ${bytes} of ${what}`, () => attack(bytes, group), MILLISECONDS + 300_000);
    }
  }
});
