/** One process of a cluster: counts once in each series, and waits for its end. */
import { Meters } from "../../src/index.ts";
import { KINDS, type Kind, update } from "./series.ts";

const [name = "", kind = ""] = process.argv.slice(2);
if (!(kind in KINDS)) throw new Error(`There is no kind ${kind}`);
const meters = Meters.open(name);
update(meters, kind as Kind);
console.log("counted");
await Bun.sleep(600_000);
