/** Takes the elements of the list "jobs" of a map, at either end, and prints them. Argument: map. */
import { SharedMap, codecs } from "../../src/index.ts";

using map = SharedMap.open(process.argv[2]!, { codec: codecs.utf8 });
const taken: string[] = [];
for (let turn = 0; ; turn++) {
  const job = turn % 2 === 0 ? map.popLeft("jobs") : map.popRight("jobs");
  if (job === undefined) break;
  taken.push(job);
}
console.log(taken.join("\n"));
