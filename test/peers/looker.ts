/** Looks at objects as fast as it can until it is killed: looker.ts inUse|usage|exists NAME */
import { Segment, usage } from "../../src/index.ts";

const [what = "", name = ""] = process.argv.slice(2);
const looks: Record<string, () => unknown> = {
  inUse: () => Segment.inUse(name),
  exists: () => Segment.exists(name),
  usage: () => usage(),
};
const look = looks[what];
if (look === undefined) throw new Error(`Cannot look by ${what}`);
look();
console.log("ready");
for (;;) look();
