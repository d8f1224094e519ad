/**
 * The long form of the ring's tests.
 *
 * For each kind of ring it kills n processes of each role (default 500), and then scribbles over
 * rings for n seconds (default 15). BUN_SHM_SEED repeats a run's choices. It exits with 1 at the
 * first fault.
 */
import { KINDS } from "../test/ring/kinds.ts";
import { seededRandom } from "../test/support/random.ts";
import { runCampaign } from "../test/support/ring-campaign.ts";
import { scribble } from "../test/support/scribble.ts";
import { readCommandLine } from "./command-line.ts";

const USAGE = `Usage: bun run soak [options]

  --kills N      processes of each role to kill, for each kind of ring (default 500)
  --seconds N    seconds to scribble over rings (default 15)
  --kind NAME    only this kind: ${KINDS.map(({ name }) => name).join("; ")}
  --help         this text`;

const { values } = readCommandLine(USAGE, {
  options: {
    kills: { type: "string", default: "500" },
    seconds: { type: "string", default: "15" },
    kind: { type: "string" },
  },
});
const [kills, seconds] = [Number(values.kills), Number(values.seconds)];
const isKind = values.kind === undefined || KINDS.some(({ name }) => name === values.kind);
if (!Number.isInteger(kills) || kills < 0 || !(seconds >= 0) || !isKind) {
  console.error(`An option has a value that makes no sense\n${USAGE}`);
  process.exit(2);
}
const random = seededRandom("soak");

for (const kind of KINDS) {
  if (values.kind !== undefined && values.kind !== kind.name) continue;
  for (const victims of ["producer", "consumer"] as const) {
    if (kills === 0) continue;
    const start = performance.now();
    const result = await runCampaign({ kind: kind.name, victims, kills, random });
    const took = ((performance.now() - start) / 1000).toFixed(1);
    const { records, lost } = result;
    console.log(
      `${kind.name}: ${result.kills} ${victims}s killed in ${took} s, ` +
        `${records} records checked, ${lost} reported as lost`,
    );
  }
  const scribbles = scribble(kind, random, seconds * 1000);
  console.log(`${kind.name}: ${scribbles} hostile words in ${values.seconds} s, no harm`);
}
