/** What others' names do to a terminal and to a shell: nothing. */
import { describe, expect, test } from "bun:test";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Finding, RingBuffer, Segment, SharedMap, codecs } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { testWithMounts, testWithTmux } from "../support/needs.ts";
import { MAIN, shell, shm, shmJson } from "../support/shm.ts";
import { Terminal } from "../support/terminal.ts";

const TAILS: readonly string[] = [
  "\x1b]0;x\x07a",
  "x\rok",
  "one\ntwo",
  "abc\u202edcba",
  "ab\u200bc",
  "a\x9b31mb",
  "a\u2028b",
];
const OBEYED = /(?!\n|\t)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** The command under test, from any directory. */
const RUN = `"${process.execPath}" ${join(import.meta.dir, "../..", MAIN)}`;

/** The part of a name that `uniqueName` made, without the slash. */
function uniqueNameOf(name: string): string {
  return /^\/([\w-]+-(?:fix|word|tab))/.exec(name)![1]!;
}

/** A ring's first bytes with a length that cannot be. */
function damagedRing(): Uint8Array {
  using ring = RingBuffer.create(uniqueName("model"), { capacity: 1024 });
  ring.unlink();
  const bytes = ring.segment.bytes.slice();
  new DataView(bytes.buffer).setUint32(28, 0x7fff0000, true);
  return bytes;
}

describe("names of others", () => {
  test("are escapes in every command, in output and errors", async () => {
    const names = TAILS.map((tail) => uniqueName("hostile") + tail);
    const damaged = damagedRing();
    const make = (): void => names.forEach((name) => writeFileSync(`/dev/shm${name}`, damaged));
    const copy = join(tmpdir(), `bun-shm-test-${process.pid}-copy`);
    make();
    const each = (...words: string[]): string[][] => names.map((name) => [...words, name]);
    const lines: string[][] = [
      ["ls"],
      ["ls", "--json"],
      ["df"],
      ["df", "--json"],
      ["doctor"],
      ["doctor", "--json"],
      ["prune", "--dry-run"],
      ["top", "--once", "--interval", "0.05"],
      ["metrics"],
      ["metrics", "--json"],
      ...each("stat"),
      ["stat", "--json", names[0]!],
      ["dump", names[0]!, "0", "16", "--json"],
      ["dump", names[0]!, "--struct"],
      ["cat", names[0]!],
      ["send", names[1]!],
      ["recv", names[2]!],
      ["get", names[3]!, "k\x1b"],
      ["sem", "get", names[4]!],
      ["sem", "wait", names[5]!, "--timeout=\x1b"],
      ["create", names[0]!, "64"],
      ["resize", names[1]!, "\x1b"],
      ["cp", names[1]!, copy],
      ["restore", `${copy}\x1b`, names[0]!],
      ["ls", "--sort", "\x1b"],
      ["watch", "--count", "\x9b"],
      ["nonsense\x1b"],
      ["stat", "--\u202e"],
      ["completion", "\x1b"],
      ["rm", ...names],
      ["rm", names[0]!],
    ];
    for (const line of lines) {
      const { stdout, stderr } = await shm(...line);
      expect([line, OBEYED.exec(stdout + stderr)]).toEqual([line, null]);
      for (const [at, name] of names.entries()) {
        expect([line, at, (stdout + stderr).includes(name)]).toEqual([line, at, false]);
      }
    }
    rmSync(copy);
    expect(readdirSync("/dev/shm").filter((file) => names.includes(`/${file}`))).toEqual([]);
  });

  test("are what JSON says that they are", async () => {
    const name = `${uniqueName("json")}\x1b\u202e\x9b`;
    using segment = Segment.create(name, { size: 64 });
    const { stdout } = await shm("stat", name, "--json");
    expect(stdout).not.toMatch(OBEYED);
    expect((JSON.parse(stdout) as { name: string }).name).toBe(name);
    segment.unlink();
  });

  test("are keys and values, too", async () => {
    const name = uniqueName("keys");
    using map = SharedMap.create(name, { size: 1 << 16, codec: codecs.json() });
    map.set("k\x9b", { text: "\u202e\x9b" });
    const keys = await shm("keys", name, "--values");
    expect(keys.stdout).toBe('k\\xc2\\x9b\t{"text":"\\u202e\\u009b"}\n');
    const got = await shm("get", name, "k\x9b");
    expect(got.stdout).toBe('{"text":"\\u202e\\u009b"}\n');
    expect(JSON.parse(got.stdout)).toEqual({ text: "\u202e\x9b" });
    map.unlink();
  });

  testWithTmux("are escapes in records on a terminal, and bytes in a pipe", async () => {
    const name = uniqueName("records");
    using ring = RingBuffer.create(name, { capacity: 4096 });
    ring.producer().tryWrite("\x1b]0;title\x07 text");
    const piped = await shm("cat", name);
    expect(piped.stdout).toBe("\x1b]0;title\x07 text\n");
    using terminal = new Terminal(`"${process.execPath}" ${MAIN} cat ${name}; cat`, 80, 5);
    await terminal.shows("\\x1b]0;title\\x07 text");
    ring.unlink();
  });
});

describe("names for a shell", () => {
  const WORDS = ["a;touch pwned", "$(touch pwned)", "`touch pwned`", "my obj", "*", "it's", "\ta"];

  test.each(WORDS)("doctor's fix removes just %j", async (word) => {
    const name = uniqueName("fix") + word;
    const beside = uniqueName("fix");
    writeFileSync(`/dev/shm${name}`, damagedRing());
    writeFileSync(`/dev/shm${beside}`, "");
    const { findings } = await shmJson<{ findings: Finding[] }>("doctor");
    // Others on this machine may be damaged as well: this one's fix ends with its name.
    const fixes = findings.flatMap(({ fix }) => (fix?.includes(uniqueNameOf(name)) ? [fix] : []));
    expect(fixes.length).toBe(1);
    const { stdout } = await shell(`cd "$(mktemp -d)" && ${fixes[0]!.replace("bun-shm", RUN)}; ls`);
    expect(stdout).toStartWith("Removed ");
    expect(stdout.trim().split("\n").length).toBe(1);
    const left = readdirSync("/dev/shm").filter((file) => `/${file}`.startsWith(beside));
    expect(left).toEqual([beside.slice(1)]);
    rmSync(`/dev/shm${beside}`);
  });

  test.each([...WORDS, "~x", "back\\slash"])("bash completes %j to one word", async (word) => {
    const name = uniqueName("word") + word;
    writeFileSync(`/dev/shm${name}`, "");
    const typed = uniqueNameOf(name);
    const { stdout } = await shell(
      `eval "$(bun-shm completion bash)"; cd "$(mktemp -d)"; touch file1 file2
      bun-shm() { ${RUN} "$@"; }
      COMP_WORDS=(bun-shm rm ${typed}); COMP_CWORD=2; _bun_shm
      echo "\${#COMPREPLY[@]}"; eval "printf '<%s>' \${COMPREPLY[0]}"; ls`,
    );
    expect(stdout).toBe(`1\n<${name.slice(1)}>file1\nfile2\n`);
    rmSync(`/dev/shm${name}`);
  });

  testWithMounts("a name that looks like an option is completed with its slash", async () => {
    const { stdout } = await shell(
      `unshare -m bash -c 'mount -t tmpfs -o mode=1777 tmpfs /dev/shm && : > /dev/shm/-rf &&
        ${RUN} __complete bash rm ""'`,
    );
    expect(stdout).toBe("/-rf\n");
  });

  testWithTmux("a real bash inserts what it completes as one word", async () => {
    const name = `${uniqueName("tab")} a;b$c`;
    writeFileSync(`/dev/shm${name}`, "");
    const lines = [
      `bun-shm() { ${RUN} "$@"; }`,
      'eval "$(bun-shm completion bash)"',
      "PS1='ready> '",
    ];
    const file = join(tmpdir(), `bun-shm-test-${process.pid}-rc`);
    writeFileSync(file, `${lines.join("\n")}\n`);
    using terminal = new Terminal(`exec bash --noprofile --rcfile ${file} -i`, 150, 10);
    await terminal.shows("ready>");
    terminal.type(`bun-shm stat ${uniqueNameOf(name)}`, "Tab");
    await terminal.shows("\\ a\\;b\\$c");
    terminal.type("Enter");
    await terminal.shows(/size +0 bytes/);
    rmSync(file);
    rmSync(`/dev/shm${name}`);
  });
});
