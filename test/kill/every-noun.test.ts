/**
 * Processes that are killed or stopped at random instants while they use all nouns: nothing that
 * was acknowledged is lost, nobody is kept waiting, and a stopped holder keeps what it holds.
 */
import { expect, test } from "bun:test";
import { runKillCampaign } from "../support/kill-campaign.ts";
import { KILL_GROUPS, type KillGroupName } from "../support/kill-nouns.ts";
import { SOAK } from "../support/kill.ts";
import { seededRandom } from "../support/random.ts";

const KILLS = SOAK ? Number(process.env["BUN_SHM_KILLS"] ?? 10_000) : 60;
const STOPS = KILLS / 5;
const HOURS = 3_600_000;

for (const group of Object.keys(KILL_GROUPS) as KillGroupName[]) {
  test(
    `${KILLS} kills and ${STOPS} stops of ${group}`,
    async () => {
      const random = seededRandom(`kill ${group}`);
      const { faults, summary } = await runKillCampaign({
        group,
        kills: KILLS,
        stops: STOPS,
        random,
      });
      console.log(summary);
      expect(faults).toEqual([]);
    },
    4 * HOURS,
  );
}
