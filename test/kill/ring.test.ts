/** Real processes, killed at random instants under full traffic. The long form: `bun run soak`. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { seededRandom } from "../support/random.ts";
import { POOL, runCampaign } from "../support/ring-campaign.ts";
import { KINDS } from "../ring/kinds.ts";

setDefaultTimeout(600_000);
const KILLS = 13;
const random = seededRandom("kills");

describe("SIGKILL under full traffic", () => {
  for (const { name: kind, refuses } of KINDS) {
    for (const victims of ["producer", "consumer"] as const) {
      test(`${kind}: ${KILLS} ${victims}s`, async () => {
        const result = await runCampaign({ kind, victims, kills: KILLS, random });
        console.log(`${kind}, ${victims}s: ${JSON.stringify(result)}`);
        // Each that was killed had worked, and another was started in its place.
        expect([result.kills, result.generations]).toEqual([KILLS, KILLS + POOL]);
        expect(result.worked).toBeGreaterThanOrEqual(KILLS);
        expect(result.reported).toBeGreaterThanOrEqual(result.worked);
        // What was sent for certain came or was told as lost; what came was sent.
        const { records, reported, lost, generations } = result;
        if (refuses) expect(lost).toBe(0);
        if (victims === "producer") {
          expect(records + lost).toBeGreaterThanOrEqual(reported);
          expect(records + lost).toBeLessThanOrEqual(reported + generations);
        } else {
          expect(records).toBeGreaterThan(0);
        }
      });
    }
  }
});
