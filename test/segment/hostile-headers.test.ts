/** Whoever finds an object whose first words are wrong gets an answer, or an error that says so. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { expect, test } from "bun:test";
import { LayoutError, StateError, SystemError } from "../../src/index.ts";
import { HOSTILE_NOUNS } from "../support/hostile-nouns.ts";
import { uniqueName } from "../support/names.ts";

/** Arguments are right, so it is never a RangeError or a TypeError. */
const ANSWERS = [LayoutError, StateError, SystemError];
const MOST_WORDS = 64;
const SMALL = [0, 1, 2, 3, 7, 64, 127, 128, 129, 130, 132, 136, 255, 256, 257, 1023, 1024, 4096];
const LARGE = [2 ** 16, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 128, 2 ** 32 - 1];
const WRONG = [...SMALL, ...LARGE];

for (const [kind, noun] of Object.entries(HOSTILE_NOUNS)) {
  test(`${kind}: any number in any of its first words`, () => {
    const name = uniqueName("wrong");
    const made = noun.make(name);
    const { path, byteLength } = noun.everything(name)[0]!;
    const file = openSync(path, "r+");
    const faults: string[] = [];
    let opened = 0;
    const open = (what: string): void => {
      try {
        noun.use(name, 0).close();
        opened++;
      } catch (error) {
        if (ANSWERS.some((each) => error instanceof each)) return;
        faults.push(`${what}: ${String(error)}`);
      }
    };
    const right = new Uint8Array(4);
    for (let at = 0; at < Math.min(MOST_WORDS * 4, byteLength); at += 4) {
      readSync(file, right, 0, 4, at);
      for (const wrong of WRONG) {
        writeSync(file, new Uint8Array(Uint32Array.of(wrong).buffer), 0, 4, at);
        const since = performance.now();
        open(`${wrong} at byte ${at}`);
        // What looks unfinished is waited for; once is enough.
        if (performance.now() - since > 500) break;
      }
      writeSync(file, right, 0, 4, at);
    }
    const before = opened;
    open("what is whole again");
    expect(faults).toEqual([]);
    expect(opened).toBe(before + 1);
    closeSync(file);
    made.close();
    noun.unlink(name);
  });
}
