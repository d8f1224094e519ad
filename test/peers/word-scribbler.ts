/**
 * Changes words of others' objects at full speed until it is killed. Arguments: a seed, and the
 * bytes, each range as PATH:OFFSET:LENGTH.
 */
import { hostileNumber } from "../support/scribble.ts";
import { seededRandom } from "../support/random.ts";

const [seed = "0", ...ranges] = process.argv.slice(2);
process.env["BUN_SHM_SEED"] = seed;
const random = seededRandom("scribbler");
const below = (limit: number): number => Math.floor(random() * limit);

interface Target {
  readonly words: Int32Array;
  readonly sound: Int32Array;
}

const targets: Target[] = ranges.map((range) => {
  const [path = "", offset, length] = range.split(":");
  const bytes = Bun.mmap(path);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + Number(offset), Number(length) / 4);
  return { words, sound: words.slice() };
});

/** What stood somewhere: the numbers of participants, of bells, of records. */
const seen = new Int32Array(256);

/** A number that is 0, extreme, random, or stands or stood elsewhere; or a flip of one bit. */
function change(words: Int32Array): void {
  const at = below(words.length);
  const from = below(words.length);
  const choice = below(8);
  if (words[from] !== 0) seen[below(seen.length)] = words[from]!;
  if (choice <= 1) words[at] = seen[below(seen.length)]!;
  else if (choice === 2) words[at]! ^= 1 << below(32);
  else if (choice === 3) words[at] = words[from]!;
  else if (choice === 4) [words[at], words[from]] = [words[from]!, words[at]!];
  else words[at] = hostileNumber(random);
}

process.stdout.write("ready\n");
// What is wrong everywhere is refused at once, so now and then everything is sound for a while.
for (;;) {
  const target = targets[below(targets.length)]!;
  const count = 1 << below(9);
  const isSlow = random() < 0.3;
  for (let done = 0; done < count; done++) {
    change(target.words);
    if (isSlow && done % 4 === 0) Bun.sleepSync(0.1);
  }
  if (random() < 0.5) target.words.set(target.sound);
  if (random() < 0.1) Bun.sleepSync(random() * 3);
}
