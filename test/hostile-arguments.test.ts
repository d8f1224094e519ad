/**
 * Calls everything that is exported as plain JavaScript could: with garbage, and after the end. It
 * works, or throws an error of this package that says in a sentence what is wrong; it never hangs,
 * crashes, changes a byte or leaves an object. In processes of their own, so that a crash is seen.
 */
import { expect, test } from "bun:test";
import { uniqueName } from "./support/names.ts";
import { runBun } from "./support/process.ts";

const WALKS = [
  { title: "garbage, wherever something is asked for", program: "garbage-walk", least: 20_000 },
  { title: "whatever is called after its end", program: "closed-walk", least: 700 },
];

test.concurrent.each(WALKS)("$title, is met with words", async ({ program, least }) => {
  const outcome = await runBun(`test/peers/${program}.ts`, uniqueName("g"));
  const lines = outcome.stdout.trim().split("\n");
  // What the child says on standard error is what it died of.
  expect({ ...outcome, stdout: lines.slice(0, -1) }).toEqual({
    exitCode: 0,
    signal: null,
    stdout: [],
    stderr: "",
  });
  expect(Number.parseInt(lines.at(-1)!)).toBeGreaterThan(least);
});
