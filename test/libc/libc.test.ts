import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { SystemError } from "../../src/errors.ts";
import { E, fail } from "../../src/libc/errno.ts";
import { close, open } from "../../src/libc/fcntl.ts";
import { futexWait, futexWake } from "../../src/libc/futex.ts";
import { memfdCreate, mmap, shmOpen } from "../../src/libc/mman.ts";
import { C } from "../../src/libc/platform.ts";
import { has } from "../../src/libc/symbols.ts";
import { clockMs, monotonicMs, sleepMs } from "../../src/libc/time.ts";
import { Mapping } from "../../src/memory/mapping.ts";
import { BUN } from "../support/process.ts";

const SOURCE = join(import.meta.dir, "../../src/index.ts");
const USE = `
  const { Segment } = await import(${JSON.stringify(SOURCE)});
  console.log("imported");
  try { Segment.create("/never-made", { size: 1 }); }
  catch (error) { console.log(error.name + ": " + error.message); }`;

describe("return conventions", () => {
  test("a failing call answers its negated errno, each its own", () => {
    expect(shmOpen("/never-made", C.O_RDWR, 0)).toBe(-E.ENOENT);
    expect(shmOpen("/", C.O_RDWR, 0)).toBe(-E.EINVAL);
    expect(open("/dev/null/x", C.O_RDONLY)).toBe(-E.ENOTDIR);
    expect(close(-1)).toBe(-E.EBADF);
  });

  test("mmap's MAP_FAILED is an errno and never an address", () => {
    expect(mmap(0, C.PROT_READ, C.MAP_SHARED, -1, 0)).toBeLessThan(0);
    expect(mmap(4096, C.PROT_READ, C.MAP_SHARED, 12345, 0)).toBe(-E.EBADF);
    expect(Mapping.map("it", 12345, { offset: 0, length: 1, access: "read" })).toBe(-E.EBADF);
  });

  test("every errno has its POSIX name, and what is thrown carries all of it", () => {
    const codeOf = (result: number): string => {
      try {
        return fail("Cannot do it", result, "write");
      } catch (error) {
        return (error as SystemError).code;
      }
    };
    expect([codeOf(-E.ENOENT), codeOf(-E.EAGAIN), codeOf(-9999)]).toEqual([
      "ENOENT",
      "EAGAIN",
      "errno 9999",
    ]);
    const details = { code: "ENOSPC", errno: E.ENOSPC, syscall: "write", path: "/p" };
    const failing = (): never => fail("Cannot do it", -E.ENOSPC, "write", "/p", "Do this");
    expect(failing).toThrow(
      new SystemError("Cannot do it: ENOSPC, no space left on device. Do this", details),
    );
  });
});

describe("words and clocks", () => {
  test("a futex sleeps while its word is as expected, and no longer than told", () => {
    const descriptor = memfdCreate("test", 1);
    Bun.spawnSync(["truncate", "-s", "4096", `/proc/${process.pid}/fd/${descriptor}`]);
    const mapping = Mapping.map("memfd", descriptor, {
      offset: 0,
      length: 4096,
      access: "readwrite",
    });
    if (typeof mapping === "number") fail("Cannot map it", mapping, "mmap");
    expect(futexWait(mapping.address, 1, 1000)).toBe(-E.EAGAIN);
    expect(futexWait(mapping.address, 0, 5)).toBe(-E.ETIMEDOUT);
    expect(futexWake(mapping.address, 1)).toBe(0);
    expect(futexWake(mapping.address + 1, 1)).toBe(-E.EINVAL);
    mapping.close();
    close(descriptor);
  });

  test("clocks run", () => {
    const before = monotonicMs();
    sleepMs(2);
    expect(monotonicMs() - before).toBeGreaterThanOrEqual(2);
    // Date.now() leaves out the parts of a millisecond.
    const earlier = Date.now();
    const now = clockMs(C.CLOCK_REALTIME);
    expect(Math.trunc(now)).toBeWithin(earlier, Date.now() + 1);
    expect(has("shm_open")).toBe(true);
  });
});

describe("where it cannot work", () => {
  const run = (code: string, env: Record<string, string> = {}): string =>
    Bun.spawnSync([BUN, "-e", code], { env: { ...process.env, ...env } })
      .stdout.toString()
      .trim();

  test("importing works on an unsupported platform, and use throws one clear error", () => {
    const elsewhere = `Object.defineProperty(process, "platform", { value: "win32" });${USE}`;
    expect(run(elsewhere)).toBe(
      `imported\nUnsupportedError: Cannot use shared memory: win32 ${process.arch} is not ` +
        "supported (Linux, macOS, FreeBSD are)",
    );
  });

  test("and without a JIT, which bun:ffi needs", () => {
    expect(run(USE, { BUN_JSC_useJIT: "0" })).toStartWith(
      "imported\nUnsupportedError: Cannot use shared memory: libc does not load through bun:ffi",
    );
  });
});
