/**
 * As the user that runs it: `make NOUN=NAME …` makes each noun so that everybody may write to it,
 * and `open OPTIONS NOUN=NAME …` prints as JSON what comes of opening each.
 */
import { NAMED_NOUNS, optionsOf, outcomes } from "../support/every-noun.ts";

const [verb, ...args] = process.argv.slice(2);
const split = (pair: string): [string, string] => {
  const at = pair.indexOf("=");
  return [pair.slice(0, at), pair.slice(at + 1)];
};
if (verb === "make") {
  for (const [noun, name] of args.map(split)) {
    const [make] = optionsOf(noun);
    using _ = NAMED_NOUNS.get(noun)!.create(name, { ...make, mode: 0o666 });
  }
} else {
  const options = JSON.parse(args[0]!) as object;
  const seen = args.slice(1).map(split);
  console.log(
    JSON.stringify(
      Object.fromEntries(seen.map(([noun, name]) => [noun, outcomes(noun, name, options)])),
    ),
  );
}
