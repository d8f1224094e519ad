/**
 * Tests that need something of the machine, without which they are skipped; their names say why.
 */
import { test } from "bun:test";
import { C_COMPILER } from "./process.ts";
import { TMUX } from "./terminal.ts";

export type TestNeeding = (
  title: string,
  body: () => void | Promise<unknown>,
  timeoutMs?: number,
) => void;

/** The name of a test or a group that needs `what`, as the runner shows it. */
export function titleNeeding(title: string, what: string, isThere: boolean): string {
  return isThere ? title : `${title} (skipped: needs ${what})`;
}

/** `test`, for those that need `what`. */
export function testNeeding(what: string, isThere: boolean): TestNeeding {
  return (title, body, timeoutMs) =>
    test.skipIf(!isThere)(titleNeeding(title, what, isThere), body, timeoutMs);
}

export const testWithC: TestNeeding = testNeeding("a C compiler", C_COMPILER !== undefined);
export const testWithTmux: TestNeeding = testNeeding("tmux", TMUX !== undefined);

const isRoot = process.getuid?.() === 0;
const canUnshare =
  isRoot &&
  Bun.which("unshare") !== null &&
  Bun.spawnSync(["unshare", "-m", "-i", "true"]).exitCode === 0;
const canMoveClock =
  isRoot &&
  Bun.which("unshare") !== null &&
  Bun.spawnSync(["unshare", "-T", "--boottime", "1", "--fork", "true"]).exitCode === 0;
/** What starts a program in a PID namespace of its own, and ends it with itself. */
export const NESTED: readonly string[] = ["unshare", "-pf", "--mount-proc", "--kill-child"];
const canNest =
  isRoot && Bun.which("unshare") !== null && Bun.spawnSync([...NESTED, "true"]).exitCode === 0;
const canSetpriv = isRoot && Bun.which("setpriv") !== null;

/** `test`, for tests that mount a /dev/shm of their own. */
export const testWithMounts: TestNeeding = testNeeding("root, and unshare", canUnshare);
/** `test`, for tests that run programs whose clocks since the machine's start differ. */
export const testWithTimeNamespaces: TestNeeding = testNeeding(
  "root, and unshare with time namespaces",
  canMoveClock,
);
/** `test`, for tests that run programs by `NESTED`. */
export const testNested: TestNeeding = testNeeding(
  "root, and unshare with PID namespaces",
  canNest,
);
/** `test`, for tests that run programs as another user. */
export const testAsAnother: TestNeeding = testNeeding("root, and setpriv", canSetpriv);
export const testWithMountsAsAnother: TestNeeding = testNeeding(
  "root, unshare and setpriv",
  canUnshare && canSetpriv,
);
