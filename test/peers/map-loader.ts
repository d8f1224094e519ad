/**
 * Gets keys of a map, which somebody has to load, in their order. Says "ready" first; counts each
 * load that it begins in the word of the key. Arguments: map, atomics, number of keys, and how long
 * a load takes at most, in ms.
 */
import { SharedAtomics, SharedMap, codecs } from "../../src/index.ts";

const [name, counts, keys, longestMs] = process.argv.slice(2) as [string, string, string, string];
const words = Array.from({ length: Number(keys) }, (_, at) => `k${at}`);
using map = SharedMap.open(name, { codec: codecs.json<{ text: string }>() });
using atomics = SharedAtomics.open(counts, { words });

async function load(key: string): Promise<{ text: string }> {
  atomics.words[key]!.add(1);
  await Bun.sleep(Math.random() * Number(longestMs));
  return { text: `value of ${key}` };
}

process.stdout.write("ready\n");
for (const key of words) {
  const { text } = await map.getOrSet(key, load);
  if (text !== `value of ${key}`) throw new Error(`${key} has ${text}`);
}
