/** How a text of somebody else's is shown: to a terminal, in JSON, and to a shell. */
import { describe, expect, test } from "bun:test";
import { shellWord, shown, visible, visibleJson } from "../src/arguments.ts";
import { testNeeding } from "./support/needs.ts";

/** What a terminal obeys, reorders or hides, and how each is shown. */
const UNSEEN: readonly (readonly [string, string, string])[] = [
  ["an escape sequence", "\x1b[2J", "\\x1b[2J"],
  ["a line end", "a\nb\r", "a\\x0ab\\x0d"],
  ["DEL and C1", "\x7f\x9b31m", "\\x7f\\xc2\\x9b31m"],
  ["right to left", "\u202ea\u2066", "\\xe2\\x80\\xaea\\xe2\\x81\\xa6"],
  ["no width", "a\u200b\ufeff\u00ad", "a\\xe2\\x80\\x8b\\xef\\xbb\\xbf\\xc2\\xad"],
  ["line and paragraph separators", "\u2028\u2029", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9"],
  ["a tag beyond the first plane", "\u{e0041}", "\\xf3\\xa0\\x81\\x81"],
  ["half a character", "a\ud800b", "a\\ud800b"],
];

describe("a text of somebody else's", () => {
  test.each(UNSEEN)("is shown with escapes: %s", (_, text, escaped) => {
    expect(visible(text)).toBe(escaped);
    expect(visible(visible(text))).toBe(escaped);
    const json = visibleJson(JSON.stringify({ [text]: text }, null, 2));
    expect(json).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    expect(JSON.parse(json)).toEqual({ [text]: text });
    expect(JSON.parse(shown(text))).toBe(text);
  });

  test("stays as it is when everything in it can be seen", () => {
    const text = "Grüße, 漢字 😀 \\x1b";
    expect(visible(text)).toBe(text);
    expect(visibleJson(JSON.stringify(text))).toBe(JSON.stringify(text));
  });
});

const WORDS: readonly string[] = [
  "/orders",
  "a;touch pwned",
  "$(touch pwned)",
  "`touch pwned`",
  "it's",
  'say "x"',
  "my obj",
  "*?[a-z]",
  "{a,b}",
  "~root",
  "back\\slash",
  "!x",
  "#x",
  "a=b&c|d<e>f",
  "Grüße",
  "",
];
const UNSEEN_WORDS: readonly string[] = ["\x1b]0;x\x07 '\\", "a\nb", "\u202eabc", "\tx"];

/** What a shell makes of a word. */
function meantBy(shell: string, word: string): string {
  const { stdout, stderr } = Bun.spawnSync([shell, "-c", `printf '<%s>' ${word}`]);
  return `${stdout}${stderr}`;
}

describe("a word for a shell", () => {
  for (const shell of ["bash", "zsh", "fish", "dash"] as const) {
    testNeeding(shell, Bun.which(shell) !== null)(`is the text itself to ${shell}`, () => {
      for (const word of WORDS) expect(meantBy(shell, shellWord(word))).toBe(`<${word}>`);
      if (shell !== "bash" && shell !== "zsh") return;
      for (const word of UNSEEN_WORDS) {
        expect(shellWord(word)).toBe(visible(shellWord(word)));
        expect(meantBy(shell, shellWord(word))).toBe(`<${word}>`);
      }
    });
  }
});
