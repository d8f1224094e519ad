/**
 * Gets keys of a map, which somebody has to load, in their order. Says "ready" first; counts each
 * load that it begins in another map. Arguments: map, map of counts, number of keys, and how long a
 * load takes at most, in ms.
 */
import { SharedMap, codecs } from "../../src/index.ts";

const [name, counts, keys, longestMs] = process.argv.slice(2) as [string, string, string, string];
using map = SharedMap.open(name, { codec: codecs.json<{ text: string }>() });
using begun = SharedMap.open(counts, { codec: codecs.number });

async function load(key: string): Promise<{ text: string }> {
  begun.increment(key);
  await Bun.sleep(Math.random() * Number(longestMs));
  return { text: `value of ${key}` };
}

process.stdout.write("ready\n");
for (let at = 0; at < Number(keys); at++) {
  const { text } = await map.getOrSet(`k${at}`, load);
  if (text !== `value of k${at}`) throw new Error(`k${at} has ${text}`);
}
