/**
 * The long form of the ring's tests: `bun run soak [--kills n] [--seconds n] [--kind name]`.
 *
 * For each kind of ring it kills n processes of each role (default 500), and then scribbles over
 * rings for n seconds (default 15). BUN_SHM_SEED repeats a run's choices. It exits with 1 at the
 * first fault.
 */
import { parseArgs } from "node:util";
import { KINDS } from "../test/ring/kinds.ts";
import { seededRandom } from "../test/support/random.ts";
import { runCampaign } from "../test/support/ring-campaign.ts";
import { scribble } from "../test/support/scribble.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "500" },
    seconds: { type: "string", default: "15" },
    kind: { type: "string" },
  },
});
const kills = Number(values.kills);
const random = seededRandom("soak");

for (const kind of KINDS) {
  if (values.kind !== undefined && values.kind !== kind.name) continue;
  for (const victims of ["producer", "consumer"] as const) {
    if (kills === 0) continue;
    const start = performance.now();
    const result = await runCampaign({ kind: kind.name, victims, kills, random });
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const { records, lost } = result;
    console.log(
      `${kind.name}: ${result.kills} ${victims}s killed in ${seconds} s, ` +
        `${records} records checked, ${lost} reported as lost`,
    );
  }
  const scribbles = scribble(kind, random, Number(values.seconds) * 1000);
  console.log(`${kind.name}: ${scribbles} hostile words in ${values.seconds} s, no harm`);
}
