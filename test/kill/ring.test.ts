/** Real processes, killed at random instants under full traffic. The long form: `bun run soak`. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { seededRandom } from "../support/random.ts";
import { runCampaign } from "../support/ring-campaign.ts";
import { KINDS } from "../ring/kinds.ts";

setDefaultTimeout(600_000);
const KILLS = 13;
const random = seededRandom("kills");

describe("SIGKILL under full traffic", () => {
  for (const { name: kind } of KINDS) {
    for (const victims of ["producer", "consumer"] as const) {
      test(`${kind}: ${KILLS} ${victims}s`, async () => {
        const result = await runCampaign({ kind, victims, kills: KILLS, random });
        console.log(`${kind}, ${victims}s: ${JSON.stringify(result)}`);
        expect(result.kills).toBe(KILLS);
        expect(result.records).toBeGreaterThan(0);
      });
    }
  }
});
