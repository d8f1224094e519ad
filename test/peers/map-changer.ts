/** Sets and removes keys of a map at random. Arguments: map, seed. */
import { SharedMap, codecs } from "../../src/index.ts";
import { seededRandom } from "../support/random.ts";

const [name, seed] = process.argv.slice(2) as [string, string];
using map = SharedMap.open(name, { codec: codecs.number });
const random = seededRandom(`changer ${seed}`);
for (let turn = 0; turn < 300; turn++) {
  for (let at = Math.floor(random() ** 3 * 300); at > 0; at--) {
    const key = `k${Math.floor(random() * 800)}`;
    if (random() < 0.3) map.delete(key);
    else map.set(key, Math.floor(random() * 1000));
  }
  await Bun.sleep(0);
}
