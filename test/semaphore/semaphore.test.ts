import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { ClosedError, LayoutError, Segment, Semaphore, SystemError } from "../../src/index.ts";
import { NEEDS_NO_LIBC } from "../../src/libc/semaphore.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { finished, runBun, spawnBun } from "../support/process.ts";
import { eventually } from "../support/shm.ts";

// A watchdog, and no limit on speed; the preload's holds for the first file alone.
setDefaultTimeout(300_000);

const PEER = "test/peers/semaphore-peer.ts";

function named(value = 0): Semaphore {
  const name = uniqueName("sem");
  const semaphore = Semaphore.create(name, { value });
  Semaphore.unlink(name);
  return semaphore;
}

function placed(value = 0): { semaphore: Semaphore; segment: Segment } {
  const segment = Segment.create(uniqueName("segment"), { size: 4096 });
  segment.unlink();
  return { segment, semaphore: Semaphore.init(segment, 128, { value }) };
}

function errorOf(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error("It did not throw");
}

describe("names", () => {
  test("create, open, openOrCreate, unlink", () => {
    const name = uniqueName("sem");
    const hintless = errorOf(() => Semaphore.open(name)) as SystemError;
    expect([hintless.code, hintless.syscall, hintless.path]).toEqual(["ENOENT", "sem_open", name]);
    expect(hintless.message).toBe(
      `Cannot open semaphore "${name}": ENOENT, no such file or directory. ` +
        "Create it first, or use Semaphore.openOrCreate",
    );
    using made = Semaphore.create(name, { value: 2 });
    expect([made.created, made.value, made.name]).toEqual([true, 2, name]);
    expect(errorOf(() => Semaphore.create(name)).message).toBe(
      `Cannot create semaphore "${name}": EEXIST, file exists. ` +
        "Use Semaphore.open or Semaphore.openOrCreate, or remove it with Semaphore.unlink",
    );
    using found = Semaphore.openOrCreate(name, { value: 7 });
    expect([found.created, found.value]).toEqual([false, 2]);
    expect([Semaphore.unlink(name), Semaphore.unlink(name)]).toEqual([true, false]);
    using again = Semaphore.openOrCreate(name, { value: 7 });
    expect([again.created, again.value]).toEqual([true, 7]);
    Semaphore.unlink(name);
  });

  test("each rule has its message", () => {
    const message = (name: string): string => errorOf(() => Semaphore.open(name)).message;
    expect(message("x")).toContain('it must start with "/": try "/x"');
    expect(message("/")).toContain('nothing follows the "/"');
    expect(message("/a/b")).toContain('it must have no "/" but the first');
    expect(message("/a\0b")).toContain("it contains a NUL character");
    const long = `/${"é".repeat(126)}`;
    expect(message(long)).toContain("it is 253 bytes long, and at most 252 are allowed");
    expect(message(undefined as unknown as string)).toContain("it is not a string");
    const longest = `/${"x".repeat(250)}`;
    expect(errorOf(() => Semaphore.open(longest))).toBeInstanceOf(SystemError);
  });

  test("values and modes out of range", () => {
    const refused = 'Cannot create semaphore "/never": ';
    for (const value of [-1, 1.5, 2 ** 31, Number.NaN]) {
      const refusal = errorOf(() => Semaphore.create("/never", { value }));
      expect(refusal).toBeInstanceOf(RangeError);
      expect(refusal.message).toBe(
        `${refused}its value must be an integer from 0 to 2147483647, not ${value}`,
      );
    }
    expect(errorOf(() => Semaphore.create("/never", { mode: 0o1777 })).message).toBe(
      `${refused}its mode must be from 0 to 0o777, not 0o1777`,
    );
  });

  test("what no TypeScript lets through", () => {
    const create = (options: unknown) => () => Semaphore.create("/never", options as object);
    for (const make of [
      create,
      (o: unknown) => () => Semaphore.openOrCreate("/never", o as object),
    ]) {
      expect(make({ value: "1" })).toThrow(TypeError);
      expect(make({ value: 1n })).toThrow(TypeError);
      expect(make({ mode: "600" })).toThrow(TypeError);
      expect(make(null)).toThrow("its options must be an object, not null");
      expect(make(3)).toThrow("its options must be an object, not 3");
      expect(make({ valeu: 1 })).toThrow(
        'there is no option "valeu" (did you mean "value"?); it takes value, mode',
      );
    }
    expect(() => Semaphore.open("/never", { wait: 1 } as object)).toThrow('did you mean "waitMs"?');
    expect(() => Semaphore.open("/never", { waitMs: -1 })).toThrow(RangeError);
    expect(errorOf(() => Semaphore.open("/never"))).toBeInstanceOf(SystemError);
    using semaphore = named(1);
    expect(() => semaphore.post("2" as unknown as number)).toThrow(TypeError);
    for (const wait of [
      (options: object) => semaphore.wait(options),
      (options: object) => semaphore.acquire(options),
    ]) {
      expect(() => wait({ timeoutMs: "1" })).toThrow(TypeError);
      expect(() => wait({ timeoutMs: Number.NaN })).toThrow(RangeError);
      expect(() => wait({ timeout: 1 })).toThrow(
        'there is no option "timeout" (did you mean "timeoutMs"?); it takes timeoutMs, signal',
      );
      expect(() => wait({ signal: {} })).toThrow("signal must be an AbortSignal, not an object");
      expect(() => wait({ ref: false })).toThrow('there is no option "ref"');
    }
    expect(semaphore.value).toBe(1);
  });

  test("open waits for the name to appear", async () => {
    const name = uniqueName("await");
    expect((errorOf(() => Semaphore.open(name, { waitMs: 5 })) as SystemError).code).toBe("ENOENT");
    const child = spawnBun(PEER, "await", name);
    await Bun.sleep(100);
    using semaphore = Semaphore.create(name, { value: 7 });
    expect(await finished(child)).toMatchObject({ exitCode: 0, stdout: "7\n", stderr: "" });
    expect(semaphore.unlink()).toBe(true);
  });

  test("a handle removes its own name and never a newer one", () => {
    const name = uniqueName("newer");
    using old = Semaphore.create(name, { value: 1 });
    expect([old.segment, old.offset]).toEqual([undefined, undefined]);
    Semaphore.unlink(name);
    expect(old.unlink()).toBe(false);
    using newer = Semaphore.create(name, { value: 2 });
    expect(old.unlink()).toBe(false);
    using same = Semaphore.open(name);
    expect(same.value).toBe(2);
    expect(newer.unlink()).toBe(true);
    expect(newer.unlink()).toBe(false);
  });

  test("the mode is applied whatever the umask", () => {
    const name = uniqueName("mode");
    const before = process.umask(0o077);
    try {
      using made = Semaphore.create(name, { mode: 0o666 });
      expect(made.created).toBe(true);
      expect(statSync(`/dev/shm/sem.${name.slice(1)}`).mode & 0o777).toBe(0o666);
    } finally {
      process.umask(before);
      Semaphore.unlink(name);
    }
  });
});

describe("tokens", () => {
  test("post, tryWait, wait, acquire", () => {
    using semaphore = named(1);
    expect([semaphore.tryWait(), semaphore.tryWait()]).toEqual([true, false]);
    expect(semaphore.wait({ timeoutMs: 0 })).toBe(false);
    const start = performance.now();
    expect(semaphore.wait({ timeoutMs: 120 })).toBe(false);
    expect(performance.now() - start).toBeGreaterThanOrEqual(119);
    semaphore.post(3);
    expect(semaphore.value).toBe(3);
    {
      using token = semaphore.acquire();
      expect([token === undefined, semaphore.value]).toEqual([false, 2]);
      token![Symbol.dispose]();
    }
    expect(semaphore.value).toBe(3);
    expect(semaphore.wait() && semaphore.wait() && semaphore.wait()).toBe(true);
    expect(semaphore.acquire({ timeoutMs: 1 })).toBeUndefined();
    expect(semaphore.tryAcquire()).toBeUndefined();
    semaphore.post();
    {
      using token = semaphore.tryAcquire();
      expect([token === undefined, semaphore.value]).toEqual([false, 0]);
    }
    expect(semaphore.value).toBe(1);
  });

  test("an aborted signal keeps a wait from beginning", () => {
    using semaphore = named(1);
    const signal = AbortSignal.abort(new Error("no longer"));
    expect(() => semaphore.wait({ signal })).toThrow("no longer");
    expect(() => semaphore.acquire({ signal, timeoutMs: 0 })).toThrow("no longer");
    expect(semaphore.value).toBe(1);
    expect(semaphore.wait({ signal: new AbortController().signal })).toBe(true);
  });

  test("too many are refused", () => {
    using semaphore = named(2 ** 31 - 2);
    const error = errorOf(() => semaphore.post(3)) as SystemError;
    expect([error.code, error.syscall]).toEqual(["EOVERFLOW", "sem_post"]);
    expect(error.message).toEndWith(
      "1 of 3 tokens were added, and its value is the highest possible, 2147483647",
    );
    for (const count of [0, -1, 1.5, Number.NaN]) {
      expect(errorOf(() => semaphore.post(count))).toBeInstanceOf(RangeError);
    }
    expect(errorOf(() => semaphore.wait({ timeoutMs: -1 }))).toBeInstanceOf(RangeError);
  });

  test("another process posts", async () => {
    const name = uniqueName("sem");
    using semaphore = Semaphore.create(name);
    const peer = runBun(PEER, "post", name);
    expect(semaphore.wait({ timeoutMs: 60_000 })).toBe(true);
    expect((await peer).exitCode).toBe(0);
    Semaphore.unlink(name);
  });
});

describe("in a segment", () => {
  test("init, at", () => {
    const { segment, semaphore } = placed(2);
    using same = Semaphore.at(segment, 128);
    expect([same.value, same.created, same.name, same.offset]).toEqual([
      2,
      false,
      segment.name,
      128,
    ]);
    expect([semaphore.created, same.segment === segment]).toEqual([true, true]);
    same.post();
    expect(semaphore.value).toBe(3);
    segment.close();
  });

  test("several lie side by side, byteLength apart, next to other bytes", () => {
    const name = uniqueName("side");
    using segment = Segment.create(name, { size: 256 });
    segment.bytes.fill(0xee);
    const stride = Semaphore.byteLength();
    expect(stride).toBe(32);
    const row = [0, 1, 2].map((at) => Semaphore.init(segment, 64 + at * stride, { value: at }));
    row[1]!.post(5);
    expect(row.map(({ value }) => value)).toEqual([0, 6, 2]);
    expect([segment.bytes[63], segment.bytes[64 + 3 * stride]]).toEqual([0xee, 0xee]);
    expect(row[0]!.unlink()).toBe(true);
    expect(Segment.exists(name)).toBe(false);
  });

  test("places that are impossible", () => {
    const { segment } = placed();
    const message = (offset: number): string =>
      errorOf(() => Semaphore.at(segment, offset)).message;
    for (const offset of [-8, 1.5, 2 ** 53, Number.NaN]) {
      expect(message(offset)).toEndWith(
        `its offset must be an integer of at least 0, not ${offset}`,
      );
    }
    expect(message(4)).toEndWith("its offset must be a multiple of 8, not 4");
    expect(message(4080)).toEndWith("its 32 bytes from offset 4080 end beyond the segment's 4096");
    const notOne = { buffer: new ArrayBuffer(64) } as unknown as Segment;
    expect(() => Semaphore.at(notOne, 0)).toThrow("it is not a Segment");
    expect(() => Semaphore.init(segment, 0, { overwrite: true } as object)).toThrow(
      'there is no option "overwrite"; it takes value',
    );
    expect(() => Semaphore.init(segment, 0, { value: -1 })).toThrow(RangeError);
    segment.close();
    expect(errorOf(() => Semaphore.at(segment, 0))).toBeInstanceOf(ClosedError);
  });

  test("a read-only segment is refused", () => {
    const name = uniqueName("read");
    using writer = Segment.create(name, { size: 64 });
    expect(writer.size).toBe(64);
    using reader = Segment.open(name, { access: "read" });
    expect(errorOf(() => Semaphore.at(reader, 0)).message).toContain("opened for reading only");
    Segment.unlink(name);
  });

  test("a segment that is gone throws before libc, in hot loops too", () => {
    const { segment, semaphore } = placed(1);
    const use = (): void => {
      semaphore.post();
      semaphore.tryWait();
    };
    for (let round = 0; round < 50_000; round++) use();
    segment.close();
    expect(semaphore.closed).toBe(true);
    const refusal = new ClosedError(`semaphore at 128 in segment "${segment.name}"`);
    for (let round = 0; round < 1000; round++) expect(use).toThrow(refusal);
    semaphore.close();
  });

  test("a segment that was cut off throws", () => {
    const segment = Segment.create(uniqueName("cut"), { size: 8192 });
    segment.unlink();
    const semaphore = Semaphore.init(segment, 4096);
    segment.resize(4096, { force: true });
    const refusal = errorOf(() => semaphore.post());
    expect(refusal).toBeInstanceOf(LayoutError);
    expect(refusal.message).toBe(
      `Cannot use semaphore at 4096 in segment "${segment.name}": its segment was cut off: ` +
        "expected 32 bytes at offset 4096, found the segment's end at 4096",
    );
    segment.close();
  });
});

describe("after close", () => {
  test("everything throws, in hot loops too", async () => {
    const semaphore = named(1);
    const use = (): void => {
      semaphore.post();
      semaphore.wait();
    };
    for (let round = 0; round < 50_000; round++) use();
    semaphore.close();
    semaphore.close();
    expect(semaphore.closed).toBe(true);
    for (let round = 0; round < 1000; round++) expect(use).toThrow(ClosedError);
    expect(() => semaphore.tryWait()).toThrow(ClosedError);
    expect(() => semaphore.value).toThrow(ClosedError);
    expect(() => semaphore.acquire()).toThrow(ClosedError);
    expect(() => semaphore.tryAcquire()).toThrow(ClosedError);
    expect(() => semaphore.unlink()).toThrow(ClosedError);
    expect(() => semaphore.post()).toThrow(new ClosedError(`semaphore "${semaphore.name}"`));
    expect(semaphore.acquireAsync()).rejects.toThrow(ClosedError);
    expect(semaphore.waitAsync()).rejects.toThrow(ClosedError);
    expect(semaphore.waitAsync({ timeoutMs: 0 })).rejects.toThrow(ClosedError);
  });
});

describe("waitAsync", () => {
  test("takes a token, or says that the time is over", async () => {
    using semaphore = named(1);
    expect(await semaphore.waitAsync()).toBe(true);
    expect(await semaphore.waitAsync({ timeoutMs: 0 })).toBe(false);
    expect(await semaphore.waitAsync({ timeoutMs: 20 })).toBe(false);
    setTimeout(() => semaphore.post(), 20);
    expect(await semaphore.waitAsync()).toBe(true);
  });

  test("acquireAsync gives its token back at the end of the block", async () => {
    using semaphore = named(1);
    {
      using token = await semaphore.acquireAsync();
      expect([token === undefined, semaphore.value]).toEqual([false, 0]);
      expect(await semaphore.acquireAsync({ timeoutMs: 5 })).toBeUndefined();
    }
    // Where libc does the waiting, the wait that was given up may have it for a moment.
    await eventually(() => semaphore.value === 1);
  });

  testNeeding("glibc", NEEDS_NO_LIBC)("a wait that was given up takes no token", async () => {
    using semaphore = named();
    for (let round = 0; round < 200; round++) {
      expect(await semaphore.waitAsync({ timeoutMs: 1 })).toBe(false);
      semaphore.post();
      // By then its thread may have been woken.
      if (round % 2 === 0) await Bun.sleep(1);
      expect([semaphore.value, semaphore.tryWait(), semaphore.value]).toEqual([1, true, 0]);
    }
  });

  test("its options are checked", async () => {
    using semaphore = named(1);
    const cases: [object, string][] = [
      [{ timeoutMs: -1 }, "timeoutMs must be a number of 0 or more, not -1"],
      [{ timeoutMs: "1" }, 'timeoutMs must be a number of 0 or more, not "1"'],
      [{ ref: 1 }, "ref must be true or false, not 1"],
      [{ signal: 1 }, "signal must be an AbortSignal, not 1"],
      [{ ms: 1 }, 'there is no option "ms"; it takes timeoutMs, signal, ref'],
    ];
    for (const [options, message] of cases) {
      expect(semaphore.waitAsync(options)).rejects.toThrow(message);
      expect(semaphore.acquireAsync(options)).rejects.toThrow(message);
    }
    expect(semaphore.value).toBe(1);
  });

  test("waits are served in order", async () => {
    using semaphore = named();
    const order: number[] = [];
    const waits = [0, 1, 2].map((number) => semaphore.waitAsync().then(() => order.push(number)));
    semaphore.post(3);
    await Promise.all(waits);
    expect(order).toEqual([0, 1, 2]);
    expect(semaphore.value).toBe(0);
  });

  test("an aborted wait gives its token back, at whatever moment", async () => {
    using semaphore = named();
    let [taken, aborted] = [0, 0];
    for (let round = 0; round < 500; round++) {
      const controller = new AbortController();
      const wait = semaphore.waitAsync({ signal: controller.signal }).then(
        () => taken++,
        (reason: Error) => {
          expect(reason.message).toBe("no longer");
          aborted++;
        },
      );
      if (round % 4 === 0) await Bun.sleep(0);
      semaphore.post();
      if (round % 3 === 0) await Bun.sleep(0);
      controller.abort(new Error("no longer"));
      await wait;
      // What was given back is taken by the next one, or here.
      while (semaphore.tryWait()) taken++;
    }
    await Bun.sleep(120);
    while (semaphore.tryWait()) taken++;
    expect(taken).toBe(500);
    expect(aborted).toBeGreaterThan(0);
    const signal = AbortSignal.abort(new Error("before"));
    expect(semaphore.waitAsync({ signal })).rejects.toThrow("before");
  });

  test("close refuses what waits, and then the segment can be closed", async () => {
    const { segment, semaphore } = placed();
    const waits = [semaphore.waitAsync(), semaphore.waitAsync({ timeoutMs: 5000 })];
    await Bun.sleep(20);
    expect(() => segment.close()).toThrow("the semaphore at 128, by a waitAsync, is held");
    semaphore.close();
    for (const outcome of await Promise.allSettled(waits)) {
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(ClosedError);
    }
    segment.close();
    expect(segment.closed).toBe(true);
  });

  test("the process lives while it waits, and no longer", async () => {
    const name = uniqueName("alive");
    using semaphore = Semaphore.create(name);
    const child = spawnBun(PEER, "async", name);
    await Bun.sleep(200);
    expect(child.exitCode).toBeNull();
    semaphore.post();
    expect(await finished(child)).toMatchObject({ exitCode: 0, stdout: "waiting\ntrue\n" });
    expect((await runBun(PEER, "exit", name)).exitCode).toBe(3);
    // One that need not be waited for lets the process end, and one more keeps it alive.
    expect(await runBun(PEER, "unref", name)).toMatchObject({ exitCode: 0, stdout: "waiting\n" });
    const mixed = spawnBun(PEER, "mixed", name);
    semaphore.post(2);
    expect(await finished(mixed)).toMatchObject({ exitCode: 0, stdout: "true true\n" });
    Semaphore.unlink(name);
  });

  test("an executable of one file waits too", async () => {
    const name = uniqueName("compiled");
    using semaphore = Semaphore.create(name, { value: 0 });
    const root = join(import.meta.dir, "../..");
    const output = join(tmpdir(), `bun-shm-compiled-${process.pid}`);
    const build = Bun.spawnSync([
      process.execPath,
      "build",
      "--compile",
      join(root, PEER),
      "--outfile",
      output,
    ]);
    expect(build.exitCode).toBe(0);
    try {
      const child = Bun.spawn([output, "async", name], {
        cwd: "/",
        stdio: ["pipe", "pipe", "pipe"],
      });
      await Bun.sleep(100);
      semaphore.post();
      expect(await finished(child)).toMatchObject({ exitCode: 0, stdout: "waiting\ntrue\n" });
    } finally {
      await Bun.file(output).delete();
      Semaphore.unlink(name);
    }
  });
});

test("Ctrl-C reaches a handler between timed waits", async () => {
  const name = uniqueName("signal");
  using semaphore = Semaphore.create(name);
  const child = spawnBun(PEER, "signal", name);
  // It posts when its handler is there.
  await semaphore.waitAsync();
  child.kill("SIGINT");
  expect(await finished(child)).toMatchObject({ exitCode: 0, stdout: "handled\n" });
  Semaphore.unlink(name);
});
