/** Whatever bytes are in the ring: a LayoutError or a record inside it, and soon. */
import { describe, expect, test } from "bun:test";
import { seededRandom } from "../support/random.ts";
import { scribble } from "../support/scribble.ts";
import { KINDS } from "./kinds.ts";

const MILLISECONDS = 400;
const random = seededRandom("hostile rings");

describe("hostile bytes", () => {
  for (const kind of KINDS) {
    test(`${kind.name}: scribbled over words and records`, () => {
      const words = scribble(kind, random, MILLISECONDS);
      console.log(`${kind.name}: ${words} hostile words`);
      expect(words).toBeGreaterThan(0);
    });
  }
});
