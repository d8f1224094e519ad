/** Who may read or write structures, what a mere reader can do, and what doctor says of it. */
import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import {
  type Finding,
  Mutex,
  Segment,
  Semaphore,
  SharedAtomics,
  SharedMap,
  SystemVSemaphore,
  codecs,
  doctor,
  usage,
} from "../../src/index.ts";
import { MAKER_BYTE } from "../../src/layout/lock-bytes.ts";
import { MAKING } from "../../src/layout/making.ts";
import { HEADER_MAKING } from "../../src/layout/segment-header.ts";
import { checkAccess } from "../../src/operations/doctor-access.ts";
import { libc } from "../../src/libc/symbols.ts";
import { uniqueName } from "../support/names.ts";
import { testAsAnother, testWithC, testWithMounts } from "../support/needs.ts";
import { BUN, type Child, compileC, finished } from "../support/process.ts";
import { MAIN, outputUntil, shell } from "../support/shm.ts";

/** What doctor says of one object; of many others, which other tests may make, it names some. */
const accessTo = (name: string): string[] =>
  checkAccess(usage({ sysv: true }).filter((object) => object.name === name))
    .filter(({ text }) => text.includes(name))
    .map(({ text }) => text);

function thrownBy(call: () => unknown): Error & { readonly code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

describe("doctor", () => {
  test("names structures that others may write to, or read, and no other object", () => {
    const modes = [0o600, 0o620, 0o602, 0o640, 0o604] as const;
    const names = modes.map((mode) => uniqueName(`mode-${mode.toString(8)}`));
    const raw = uniqueName("raw");
    names.forEach((name, at) =>
      SharedAtomics.create(name, { words: ["w"], mode: modes[at]! }).close(),
    );
    using other = Segment.create(raw, { size: 64, mode: 0o666 });
    other.bytes.fill(7);
    const said = names.map((name) => accessTo(name).map((text) => text.split(" ")[3]));
    expect(said).toEqual([[], ["write"], ["write"], ["read"], ["read"]]);
    expect(accessTo(raw)).toEqual([]);
    expect(doctor().some(({ check }) => check === "access")).toBe(true);
    for (const name of names) SharedAtomics.unlink(name);
    Segment.unlink(raw);
  });

  test("names semaphores whose tokens others may take", () => {
    const [open, own] = ["open", "own"].map((what) => uniqueName(what)) as [string, string];
    Semaphore.create(open, { value: 1, mode: 0o602 }).close();
    Semaphore.create(own, { value: 1, mode: 0o644 }).close();
    expect(accessTo(open)).toEqual([`Other users may take and add tokens of ${open}.`]);
    expect(accessTo(own)).toEqual([]);
    Semaphore.unlink(open);
    Semaphore.unlink(own);
    using sysv = SystemVSemaphore.create("sysv:private", { value: 1, mode: 0o620 });
    expect(accessTo(sysv.name)).toHaveLength(1);
    sysv.unlink();
  });

  test("names System V segments too", () => {
    using segment = Segment.create("sysv:private", { size: 4096, mode: 0o606 });
    Mutex.init(segment, 0);
    expect(accessTo(segment.name)).toHaveLength(1);
    segment.unlink();
  });

  testWithMounts("does not fail without /dev/shm, or with one that cannot be listed", async () => {
    const bind = "for n in null zero urandom; do touch $d/$n; mount --bind /dev/$n $d/$n; done";
    const { stdout } = await shell(`cat > /dev/null; d=$(mktemp -d); unshare -m bash -c '
      mount -t tmpfs tmpfs $0; d=$0; ${bind}; mount --rbind $d /dev;
      for verb in doctor ls prune "create x 1"; do "$1" ${MAIN} $verb 2>&1; echo "exit $?"; done
    ' $d "${process.execPath}"; rmdir $d`);
    expect(stdout).toMatch(/MEND +directory +There is no \/dev\/shm, so no object can be made\./);
    expect(stdout).not.toMatch(/MEND +permissions/);
    expect(stdout).toContain("there is no /dev/shm. `bun-shm doctor` says how to mount it\nexit 6");
    expect(stdout).toMatch(/Cannot create segment "\/x": ENOENT.*There is no \/dev\/shm\nexit 3/);
  });

  test("says that the kernel has no locks of open file descriptions", () => {
    const table = libc as unknown as Record<string, (...args: number[]) => number>;
    const { fcntl } = table;
    // EINVAL: there is no such id.
    table["fcntl"] = () => table["shmctl"]!(-1, 0, 0);
    let findings: Finding[];
    try {
      findings = doctor();
      for (const call of [
        () => Segment.create(uniqueName("no-ofd"), { size: 64 }),
        () => Mutex.openOrCreate(uniqueName("no-ofd")),
      ]) {
        const error = thrownBy(call);
        expect([error.name, error.message.includes("F_OFD_SETLK")]).toEqual([
          "UnsupportedError",
          true,
        ]);
      }
    } finally {
      table["fcntl"] = fcntl!;
    }
    expect(findings.filter(({ check }) => check === "locks")).toMatchObject([{ status: "mend" }]);
  });

  testWithC("says that memory cannot be made executable", async () => {
    const launcher = compileC("test/peers/no-new-code.c");
    const run = (...args: string[]): Promise<Awaited<ReturnType<typeof finished>>> =>
      finished(
        Bun.spawn([launcher, process.execPath, MAIN, ...args], {
          stdio: ["pipe", "pipe", "pipe"],
          cwd: `${import.meta.dir}/../..`,
          env: { ...process.env, NO_COLOR: "1" },
        }) as Child,
      );
    const { stdout, exitCode } = await run("doctor");
    // An older kernel has no such rule.
    if (exitCode === 3) return;
    expect(stdout).toMatch(/MEND +libc +.*refuse memory that is written and then executed\./);
    expect(stdout).not.toContain("useJIT");
    expect(stdout).not.toMatch(/MEND +(locks|permissions)/);
    expect((await run("create", uniqueName("mdwe"), "64")).stderr).toContain(
      "seems to refuse memory",
    );
  });
});

/** A process of another user that may only read, and holds shared locks on all free bytes. */
async function readerOf(name: string): Promise<Child> {
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const program = "test/peers/reader-that-locks.ts";
  const reader = Bun.spawn([...user, BUN, program, `/dev/shm${name}`], {
    stdio: ["pipe", "pipe", "pipe"],
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, HOME: "/tmp" },
  }) as Child;
  expect(await outputUntil(reader, "\n")).toBe("locked\n");
  return reader;
}

async function end(reader: Child): Promise<void> {
  reader.stdin.end();
  await reader.exited;
}

describe("who may only read", () => {
  testAsAnother("can keep a structure from being made, and makes no dead maker live", async () => {
    const name = uniqueName("unfinished");
    using segment = Segment.create(name, { size: 2 ** 16, mode: 0o644 });
    // What a maker leaves that is killed at once.
    segment.view.setUint32(HEADER_MAKING.offset, MAKING, true);
    const reader = await readerOf(name);
    expect(segment.isLocked(MAKER_BYTE)).toBe(false);
    const found = thrownBy(() => SharedMap.open(name, { codec: codecs.utf8 }));
    expect([found.name, found.code]).toEqual(["StateError", "ENODATA"]);
    const make = (): Disposable => SharedAtomics.openOrCreate(name, { words: ["w"] });
    const kept = thrownBy(make);
    expect([kept.name, kept.code]).toEqual(["StateError", "EBUSY"]);
    expect(kept.message).toContain("somebody who may only read it keeps its maker out");
    await end(reader);
    make()[Symbol.dispose]();
    segment.unlink();
  });

  testAsAnother(
    "can keep others from joining, and not from removing or from going on",
    async () => {
      const codec = codecs.utf8;
      const name = uniqueName("readable");
      const other = uniqueName("other");
      using map = SharedMap.create(name, { size: 2 ** 16, codec });
      map.set("key", "before");
      Segment.create(other, { size: 64 }).close();
      for (const each of [name, other]) chmodSync(`/dev/shm${each}`, 0o644);
      const readers = await Promise.all([name, other].map(readerOf));
      // Who takes part already goes on.
      expect(map.set("key", "after")).toBe(true);
      using second = SharedMap.open(name, { codec });
      expect(second.get("key")).toBe("after");
      const error = thrownBy(() => second.set("key", "second"));
      expect([error.name, error.code]).toEqual(["StateError", "EBUSY"]);
      expect(error.message).toContain("somebody who may read it holds locks");
      expect([map.unlink(), Segment.unlink(other)]).toEqual([true, true]);
      await Promise.all(readers.map(end));
      expect(second.set("key", "second")).toBe(true);
    },
  );
});
