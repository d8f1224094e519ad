/**
 * What other systems' code paths do with calls of this one in place of theirs. It shows what they
 * call, and that they come to an end; whether the other systems answer so, nobody has tried.
 */
import { type Pointer, toArrayBuffer } from "bun:ffi";
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { E, ERRNO_FUNCTION } from "../../src/libc/errno.ts";
import { futexWait, futexWake } from "../../src/libc/futex.ts";
import { load } from "../../src/libc/loader.ts";
import { addressFutex, ulockFutex } from "../../src/libc/macos-futex.ts";
import { PLATFORM } from "../../src/libc/platform.ts";
import { libc } from "../../src/libc/symbols.ts";
import { NamedSpace } from "../../src/memory/objects/named-object.ts";
import { fileCalls } from "../../src/memory/objects/own-files.ts";
import { posixName } from "../../src/memory/objects/segment-name.ts";
import { Segment } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";

type Call = (...args: never[]) => unknown;
const table = libc as unknown as Record<string, Call>;
const replaced = new Map<string, Call>();

function replace(name: string, call: Call): void {
  if (!replaced.has(name)) replaced.set(name, table[name]!);
  table[name] = call;
}

afterEach(() => {
  for (const [name, call] of replaced) table[name] = call;
  replaced.clear();
});

const errno = new Int32Array(toArrayBuffer(libc[ERRNO_FUNCTION]() as Pointer, 0, 4));

/** As C does: -1, and errno says why. */
function answer(result: number): number {
  if (result >= 0) return result;
  errno[0] = -result;
  return -1;
}

const DECLARATIONS = {
  shm_open: { args: ["cstring", "i32", "u32"], returns: "i32", fixed: 2 },
  getpagesize: { args: [], returns: "i32" },
  no_such_function: { args: [], returns: "i32" },
} as const;

test("without a handle for all that is loaded, functions are found in their libraries", () => {
  const constants = { ...PLATFORM!.constants, RTLD_DEFAULT: undefined };
  for (const at of [0, 1]) {
    // Once each function is in the first library, and once it takes another one.
    const found = load(
      {
        ...PLATFORM!,
        constants,
        extraLibraries: at === 0 ? [] : [...PLATFORM!.libraries, "no-such-library.so"],
      },
      DECLARATIONS,
    );
    expect([...found.missing]).toEqual(["no_such_function"]);
    expect(found.functions["getpagesize"]!()).toBe(libc.getpagesize());
    expect(() => found.functions["no_such_function"]!()).toThrow("has no such function");
    expect(() => found.addressOf("no_such_function")).toThrow("has no such function");
  }
});

test("the sleeps of macOS wait for words, and wake", () => {
  using segment = Segment.create("memfd:words", { size: 4096 });
  const { address } = segment.mapping;
  const asked: unknown[][] = [];
  replace("os_sync_wait_on_address_with_timeout", ((...args: number[]) => {
    asked.push(args);
    const [word, value, , , , nanoseconds] = args as [number, number, 4, 1, 32, number];
    return answer(futexWait(word, value, nanoseconds / 1e6));
  }) as Call);
  replace("os_sync_wake_by_address_all", ((...args: number[]) => {
    asked.push(args);
    return answer(-E.ENOENT);
  }) as Call);
  replace("os_sync_wake_by_address_any", ((...args: number[]) => {
    asked.push(args);
    return answer(futexWake(args[0]!, 1));
  }) as Call);
  replace("__ulock_wait", ((...args: number[]) => {
    asked.push(args);
    return futexWait(args[1]!, args[2]!, args[3]! / 1e3);
  }) as Call);
  replace("__ulock_wake", ((...args: number[]) => {
    asked.push(args);
    return -E.ENOENT;
  }) as Call);
  const loops = [addressFutex, ulockFutex];
  for (const futex of loops) {
    expect(futex.wait(address, 0, 2)).toBe(-E.ETIMEDOUT);
    expect(futex.wait(address, -1, 0)).toBe(-E.EAGAIN);
    expect(futex.wake(address, 1)).toBe(0);
    expect(futex.wake(address, 0x7fffffff)).toBe(0);
  }
  expect(asked).toEqual([
    [address, 0, 4, 1, 32, 2e6],
    [address, 0xffffffff, 4, 1, 32, 1],
    [address, 4, 1],
    [address, 4, 1],
    [0x1000003, address, 0, 2000],
    [0x1000003, address, 0xffffffff, 1],
    [0x1000003, address, 0],
    [0x1000103, address, 0],
  ]);
});

test("a system without posix_fallocate, or a file system that reserves nothing, gives the size", () => {
  for (const error of [E.EOPNOTSUPP, E.ENOTSUP, E.EINVAL, E.ENOSYS]) {
    replace("posix_fallocate", () => error);
    const name = uniqueName("sized");
    for (const make of [
      () => Segment.create(name, { size: 5000 }),
      () => Segment.openOrCreate(name, { size: 5000, truncate: true }),
      () => Segment.openOrCreate(`${name}-adopted`, { size: 5000 }),
      () => Segment.create("memfd:sized", { size: 5000, sealed: false }),
    ]) {
      using segment = make();
      expect(segment.size).toBe(5000);
      segment.resize(9000);
      segment.view.setInt8(8999, 1);
      expect(segment.size).toBe(9000);
    }
    Segment.unlink(name);
    Segment.unlink(`${name}-adopted`);
  }
  // What is a failure stays one.
  replace("posix_fallocate", () => E.ENOSPC);
  expect(() => Segment.create(uniqueName("full"), { size: 4096 })).toThrow("ENOSPC");
});

test("objects in files of their own are made, found, sized and removed like named ones", () => {
  const base = mkdtempSync(join(tmpdir(), "bun-shm-test-"));
  const directory = join(base, "not yet/there");
  const space = new NamedSpace(fileCalls(directory));
  const name = posixName("/x");
  expect(space.open(name, "read")).toBeUndefined();
  expect([space.exists(name), space.unlink(name)]).toEqual([false, false]);
  const made = space.create(name, { size: 5000, mode: 0o640 })!;
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(readdirSync(directory)).toEqual(["x"]);
  expect(space.create(name, { size: 5000 })).toBeUndefined();
  const found = space.open(name, "readwrite")!;
  expect([found.stat().size, found.stat().mode]).toEqual([5000, 0o640]);
  expect([space.hasUsers(name), space.unlinkUnused(name)]).toEqual([true, false]);
  expect(made.setSize(9000, true)).toBe(0);
  expect(found.stat().size).toBe(9000);
  made.close();
  found.close();
  expect([space.hasUsers(name), space.unlinkUnused(name)]).toEqual([false, true]);
  expect([space.exists(name), found.name]).toEqual([false, "/x"]);
  symlinkSync("/etc/passwd", join(directory, "x"));
  expect(() => space.open(name, "read")).toThrow("symbolic link");
  rmSync(base, { recursive: true });
});
