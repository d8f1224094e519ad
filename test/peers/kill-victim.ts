/**
 * Uses all nouns of a group until it is killed. Arguments: the group, the name of its objects, how
 * many participants there are, its own number, and a seed.
 */
import { KILL_GROUPS, type KillGroupName } from "../support/kill-nouns.ts";
import { KillLedger } from "../support/kill-ledger.ts";
import { seededRandom } from "../support/random.ts";

const [group, name = "", participants, me] = process.argv.slice(2);
const ledger = new KillLedger(`${name}-ledger`, Number(participants), Number(me));
const nouns = new KILL_GROUPS[group as KillGroupName](name, ledger, seededRandom("victim"));
try {
  for (;;) {
    const turn = nouns.turn();
    if (turn !== undefined) await turn;
    ledger.add("turns");
  }
} catch (error) {
  console.log(String((error as Error).stack));
  process.exit(1);
}
