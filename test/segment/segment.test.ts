import { afterEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { gzip } from "node:zlib";
import { promisify } from "node:util";
import {
  ClosedError,
  LayoutError,
  Mutex,
  Segment,
  Semaphore,
  StateError,
  SystemError,
  listSegments,
  openObject,
} from "../../src/index.ts";
import { SPARED, forgetMany } from "../support/forget.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { BUN, finished, runBun, spawnBun } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";

const PROGRAM = "test/peers/segment-peer.ts";
const file = (name: string): string => `/dev/shm${name}`;
const names: string[] = [];

function fresh(label?: string): string {
  const name = uniqueName(label);
  names.push(name);
  return name;
}

afterEach(() => {
  for (const name of names.splice(0)) Segment.unlink(name);
});

/** The error that a call throws; fails the test when it throws none. */
function thrownBy(call: () => unknown): Error & { code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

function thrownByOrNothing(call: () => unknown): Error | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

describe("create, open, openOrCreate", () => {
  test("create makes a zero-filled object of exactly the size, mode 0600", () => {
    const name = fresh();
    using segment = Segment.create(name, { size: 100 });
    expect(segment.created).toBe(true);
    expect(segment.size).toBe(100);
    expect(segment.bytes).toEqual(new Uint8Array(100));
    expect(segment.mode).toBe(0o600);
    expect(statSync(file(name)).size).toBe(100);
  });

  test("a mode is applied whatever the umask", () => {
    const old = process.umask(0o077);
    try {
      using segment = Segment.create(fresh(), { size: 1, mode: 0o666 });
      expect(segment.mode).toBe(0o666);
    } finally {
      process.umask(old);
    }
  });

  test("create is exclusive, open needs one, and both say so", () => {
    const name = fresh();
    const missing = thrownBy(() => Segment.open(name));
    expect(missing).toBeInstanceOf(SystemError);
    expect(missing).toMatchObject({ code: "ENOENT", syscall: "shm_open", path: name });
    expect(missing.message).toBe(
      `Cannot open segment "${name}": ENOENT, no such file or directory. ` +
        "Create it first, or use Segment.openOrCreate",
    );
    using segment = Segment.create(name, { size: 8 });
    segment.view.setUint8(0, 7);
    expect(thrownBy(() => Segment.create(name, { size: 8 }))).toMatchObject({
      code: "EEXIST",
      message:
        `Cannot create segment "${name}": EEXIST, file exists. ` +
        "Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink",
    });
    using again = Segment.open(name);
    expect(again.view.getUint8(0)).toBe(7);
  });

  test("openOrCreate tells which it was, and keeps what is there", () => {
    const name = fresh();
    using first = Segment.openOrCreate(name, { size: 64 });
    first.bytes[63] = 5;
    using second = Segment.openOrCreate(name, { size: 64, mode: 0o666 });
    expect([first.created, second.created, second.bytes[63]]).toEqual([true, false, 5]);
    expect(second.mode).toBe(0o600);
  });

  test("openOrCreate refuses one of another size, and leaves no handle behind", () => {
    const name = fresh();
    Segment.create(name, { size: 64 }).close();
    for (const size of [63, 128]) {
      const error = thrownBy(() => Segment.openOrCreate(name, { size }));
      expect(error).toBeInstanceOf(LayoutError);
      expect(error.message).toBe(
        `Cannot open segment "${name}": one of a different size exists (Segment.open accepts it, ` +
          "{ truncate: true } discards what it holds): expected " +
          `${size} bytes at offset 0, found 64`,
      );
    }
    expect(Segment.inUse(name)).toBe(false);
    using resized = Segment.openOrCreate(name, { size: 128, truncate: true });
    expect([resized.size, resized.created]).toEqual([128, false]);
  });

  test("truncate discards and resizes, but not under a live user", () => {
    const name = fresh();
    const first = Segment.create(name, { size: 64 });
    first.bytes.fill(9);
    const refusal = thrownBy(() => Segment.openOrCreate(name, { size: 32, truncate: true }));
    expect(refusal).toBeInstanceOf(StateError);
    expect([refusal.code, refusal.message]).toEqual([
      "EBUSY",
      `Cannot truncate segment "${name}": another handle has it open, and cutting it off would ` +
        "end that process (SIGBUS)",
    ]);
    expect(first.bytes[63]).toBe(9);
    first.close();
    using anew = Segment.openOrCreate(name, { size: 32, truncate: true });
    expect([anew.created, anew.size, anew.bytes[0]]).toEqual([false, 32, 0]);
  });

  test("an empty object is waited for, refused by open, adopted by openOrCreate", () => {
    const name = fresh();
    writeFileSync(file(name), "");
    const refusal = thrownBy(() => Segment.open(name));
    expect(refusal).toBeInstanceOf(StateError);
    expect([refusal.code, refusal.message]).toEqual([
      "ENODATA",
      `Cannot open segment "${name}": it is empty, and nobody is giving it a size. ` +
        "Segment.openOrCreate gives it one, and Segment.unlink takes its name away",
    ]);
    using adopted = Segment.openOrCreate(name, { size: 16 });
    expect([adopted.created, adopted.size]).toEqual([true, 16]);
  });

  test("open waits for the object to appear", async () => {
    const name = fresh();
    const child = spawnBun(PROGRAM, "await", name);
    await Bun.sleep(300);
    using segment = Segment.create(name, { size: 8 });
    expect(segment.size).toBe(8);
    expect(await finished(child)).toMatchObject({ exitCode: 0, stdout: "8\n", stderr: "" });
  });

  test("500 openers race a creator and never see an empty or half-made segment", async () => {
    const name = fresh();
    const opener = spawnBun(PROGRAM, "race-open", name, "500");
    const creator = spawnBun(PROGRAM, "race-create", name, "500");
    const [a, b] = await Promise.all([finished(opener), finished(creator)]);
    expect(b).toMatchObject({ exitCode: 0, stderr: "" });
    expect(a).toMatchObject({ exitCode: 0, stderr: "", stdout: "500 opened\n" });
  });

  test("of processes that openOrCreate at once, one creates", async () => {
    for (let round = 0; round < 5; round++) {
      const name = fresh();
      const peers = Array.from({ length: 4 }, () => spawnBun(PROGRAM, "open-or-create", name));
      const outcomes = await Promise.all(peers.map((peer) => finished(peer)));
      expect(outcomes.map(({ stderr }) => stderr)).toEqual(["", "", "", ""]);
      expect(outcomes.filter(({ stdout }) => stdout === "created\n")).toHaveLength(1);
    }
  });
});

describe("bad arguments are named", () => {
  const cases: [string, string][] = [
    ["", 'Cannot use "" as a segment name: it must start with "/": try "/"'],
    ["x", 'Cannot use "x" as a segment name: it must start with "/": try "/x"'],
    ["/", 'Cannot use "/" as a segment name: nothing follows the "/"'],
    ["/a/b", 'Cannot use "/a/b" as a segment name: it must have no "/" but the first'],
    ["/a\0b", 'Cannot use "/a\\u0000b" as a segment name: it contains a NUL character'],
    ["/..", 'Cannot use "/.." as a segment name: it names a directory'],
  ];
  for (const [name, message] of cases) {
    test(JSON.stringify(name), () => {
      expect(() => Segment.create(name, { size: 1 })).toThrow(new RangeError(message));
      expect(() => Segment.open(name)).toThrow(new RangeError(message));
      expect(() => Segment.unlink(name)).toThrow(new RangeError(message));
    });
  }

  test("names count in bytes, and 255 fit after the slash", () => {
    const longest = `/x${"é".repeat(127)}`;
    using segment = Segment.create(longest, { size: 1 });
    expect(segment.unlink()).toBe(true);
    expect(() => Segment.create(`${longest}x`, { size: 1 })).toThrow(
      "it is 257 bytes long, and at most 256 are allowed",
    );
    expect(() => Segment.create(`/${"x".repeat(31)}`, { size: 1, portable: true })).toThrow(
      "it is 32 bytes long, and at most 31 are allowed on every POSIX system",
    );
  });

  test("a name that is no string", () => {
    expect(() => Segment.open(undefined as unknown as string)).toThrow(
      new TypeError("Cannot use undefined as a segment name: it is not a string"),
    );
  });

  for (const size of [0, -1, 1.5, Number.NaN, 2 ** 32 + 1]) {
    test(`size ${size}`, () => {
      const name = fresh();
      expect(() => Segment.create(name, { size })).toThrow(
        new RangeError(
          `Cannot create segment "${name}": its size in bytes must be an integer from 1 to ` +
            `4294967296, not ${size}`,
        ),
      );
      expect(Segment.exists(name)).toBe(false);
      using segment = Segment.create(name, { size: 8 });
      expect(() => segment.resize(size)).toThrow(RangeError);
      expect(segment.size).toBe(8);
    });
  }

  test("what no TypeScript lets through", () => {
    const name = fresh();
    const create = (options: unknown) => () => Segment.create(name, options as { size: number });
    const prefix = `Cannot create segment "${name}": `;
    const cases: [unknown, string][] = [
      [undefined, "its size in bytes must be an integer from 1 to 4294967296, not undefined"],
      [null, "its options must be an object, not null"],
      [4096, "its options must be an object, not 4096"],
      [{ size: "8" }, 'its size in bytes must be an integer from 1 to 4294967296, not "8"'],
      [{ size: 8n }, "its size in bytes must be an integer from 1 to 4294967296, not 8"],
      [{ size: 8, mode: "600" }, 'its mode must be from 0 to 0o777, not "600"'],
      [{ size: 8, reserve: 1 }, "reserve must be true or false, not 1"],
      [{ size: 8, sealed: "no" }, 'sealed must be true or false, not "no"'],
      [{ size: 8, prefault: 1 }, "prefault must be true or false, not 1"],
      [{ size: 8, hugePages: 0 }, 'hugePages must be true, false or "transparent", not 0'],
      [
        { size: 8, truncate: true },
        'there is no option "truncate"; it takes size, mode, reserve, portable, sealed, prefault, hugePages',
      ],
      [
        { size: 8, moed: 0o600 },
        'there is no option "moed" (did you mean "mode"?); it takes size, mode, reserve, ' +
          "portable, sealed, prefault, hugePages",
      ],
    ];
    for (const [options, message] of cases) {
      expect(create(options)).toThrow(new TypeError(prefix + message));
    }
    expect(Segment.exists(name)).toBe(false);
    const openOrCreate = (options: object) => () =>
      Segment.openOrCreate(name, options as { size: number });
    expect(openOrCreate({ size: 8, truncate: "yes" })).toThrow(TypeError);
    expect(openOrCreate({ size: 8, turncate: true })).toThrow('did you mean "truncate"?');
    expect(() => Segment.open(name, { wait: 5 } as object)).toThrow('did you mean "waitMs"?');
    expect(() => Segment.unlink(7 as unknown as string)).toThrow(TypeError);
    using segment = Segment.create(name, { size: 8 });
    const resize = (options: object) => () => segment.resize(16, options);
    expect(resize({ forced: true })).toThrow('"forced" (did you mean "force"?)');
    expect(resize({ force: 1 })).toThrow("force must be true or false, not 1");
    expect(segment.size).toBe(8);
    for (const index of [-1, 0.5, Number.NaN, 2 ** 53, "0" as unknown as number]) {
      expect(() => segment.tryLock(index)).toThrow("its index must be an integer of at least 0");
      expect(() => segment.isLocked(index)).toThrow("its index must be an integer of at least 0");
    }
  });

  test("mode, access, offset, length, waitMs", () => {
    const name = fresh();
    expect(() => Segment.create(name, { size: 1, mode: 0o1777 })).toThrow(
      new RangeError(
        `Cannot create segment "${name}": its mode must be from 0 to 0o777, not 0o1777`,
      ),
    );
    using segment = Segment.create(name, { size: 8192 });
    expect(segment.size).toBe(8192);
    const open = (options: object) => () => Segment.open(name, options);
    expect(open({ access: "write" })).toThrow(
      new TypeError(
        `Cannot open segment "${name}": access must be "readwrite" or "read", not "write"`,
      ),
    );
    expect(open({ offset: 100 })).toThrow("offset must be a multiple of the page size, 4096, not");
    expect(open({ offset: -4096 })).toThrow("offset must be an integer of at least 0, not -4096");
    expect(open({ length: 0 })).toThrow("length must be an integer from 1 to 4294967296, not 0");
    expect(open({ offset: 4096, length: 4097 })).toThrow(
      `Cannot map 4097 bytes from offset 4096 of segment "${name}": it has 8192`,
    );
    expect(open({ waitMs: -5 })).toThrow(
      new RangeError("Cannot wait: waitMs must be a number of 0 or more, not -5"),
    );
    expect(open({ waitMs: Number.NaN })).toThrow(RangeError);
    expect(open({ waitMs: "5" })).toThrow(TypeError);
  });

  test("what is not a shared memory object is refused and never waited for", async () => {
    const name = fresh("fifo");
    Bun.spawnSync(["mkfifo", file(name)]);
    const refusal = thrownBy(() => Segment.open(name, { access: "read" }));
    expect(refusal).toBeInstanceOf(LayoutError);
    expect(refusal.message).toContain("it is not a shared memory object");
    const directory = fresh("directory");
    mkdirSync(file(directory));
    mkdirSync(file(`/sem.${directory.slice(1)}`));
    for (const open of [
      () => Segment.open(directory),
      () => Segment.openOrCreate(directory, { size: 4096 }),
      () => Mutex.openOrCreate(directory),
      () => Semaphore.open(directory),
      () => openObject(directory),
    ]) {
      const { message } = thrownBy(open);
      expect(message).toContain("it is not a shared memory object");
      expect(message).toContain(directory);
    }
    rmdirSync(file(directory));
    rmdirSync(file(`/sem.${directory.slice(1)}`));
    const link = fresh("link");
    symlinkSync("/etc/passwd", file(link));
    expect(thrownBy(() => Segment.open(link)).code).toBe("ELOOP");
    unlinkSync(file(link));
  });
});

describe("windows and sizes", () => {
  test("several mappings of one object, and parts of it, show the same bytes", () => {
    const name = fresh();
    using whole = Segment.create(name, { size: 4 * 4096 });
    using twice = Segment.open(name);
    using part = Segment.open(name, { offset: 4096, length: 4096 });
    whole.view.setUint32(4096, 0xfeed, true);
    expect(twice.view.getUint32(4096, true)).toBe(0xfeed);
    expect(part.view.getUint32(0, true)).toBe(0xfeed);
    expect([part.bytes.length, part.size]).toEqual([4096, 4 * 4096]);
    expect(() => part.resize(8192)).toThrow(TypeError);
  });

  test("growing keeps the data, zero-fills, detaches; an opener remaps", () => {
    const name = fresh();
    using segment = Segment.create(name, { size: 4 });
    using other = Segment.open(name);
    segment.bytes.set([1, 2, 3, 4]);
    const old = segment.bytes;
    segment.resize(10_000);
    expect(old.length).toBe(0);
    expect([...segment.bytes.subarray(0, 6)]).toEqual([1, 2, 3, 4, 0, 0]);
    expect(segment.bytes.subarray(4).every((byte) => byte === 0)).toBe(true);
    expect([other.size, other.bytes.length]).toEqual([4, 4]);
    expect([other.remap(), other.remap(), other.size]).toEqual([true, false, 10_000]);
    segment.view.setUint8(9_999, 5);
    expect(other.view.getUint8(9_999)).toBe(5);
  });

  test("shrinking is refused unless forced", () => {
    const name = fresh();
    using segment = Segment.create(name, { size: 8192 });
    segment.bytes.fill(3);
    expect(() => segment.resize(4096)).toThrow(
      `Cannot resize segment "${name}" to 4096 bytes: it has 8192, and shrinking ends any ` +
        "process that touches what is cut off. Pass { force: true } if none does",
    );
    segment.resize(4096, { force: true });
    expect([segment.size, segment.bytes[4095], statSync(file(name)).size]).toEqual([4096, 3, 4096]);
    segment.resize(8192);
    expect(segment.bytes[4096]).toBe(0);
  });

  test("4 GiB in one mapping, without reserving them", () => {
    using segment = Segment.create(fresh(), { size: 2 ** 32, reserve: false });
    segment.view.setUint8(2 ** 32 - 1, 1);
    expect(segment.bytes[2 ** 32 - 1]).toBe(1);
  });

  test("an object over 4 GiB needs a window", () => {
    const name = fresh();
    writeFileSync(file(name), "");
    expect(Bun.spawnSync(["truncate", "-s", "5G", file(name)]).exitCode).toBe(0);
    expect(() => Segment.open(name)).toThrow("Open parts of it with offset and length");
    using part = Segment.open(name, { offset: 4096 * 2 ** 20, length: 4096 });
    expect(part.bytes.length).toBe(4096);
  });
});

describe("reading only", () => {
  test("sees what others write; its own writes stay private and end nothing", () => {
    const name = fresh();
    using writer = Segment.create(name, { size: 2 * 4096 });
    using reader = Segment.open(name, { access: "read" });
    writer.view.setUint32(0, 1, true);
    writer.view.setUint32(4096, 1, true);
    expect(reader.view.getUint32(0, true)).toBe(1);
    reader.view.setUint32(0, 99, true);
    expect(writer.view.getUint32(0, true)).toBe(1);
    writer.view.setUint32(0, 2, true);
    writer.view.setUint32(4096, 2, true);
    // The page that was written to is this process's own now; the other one is still live.
    expect(reader.view.getUint32(0, true)).toBe(99);
    expect(reader.view.getUint32(4096, true)).toBe(2);
    expect(() => reader.resize(9000)).toThrow("it was opened for reading only");
  });

  test("works on an object that may not be written", () => {
    const name = fresh();
    Segment.create(name, { size: 4, mode: 0o400 }).close();
    using reader = Segment.open(name, { access: "read" });
    reader.bytes.fill(1);
    expect(readFileSync(file(name))).toEqual(Buffer.alloc(4));
  });

  /** What another user gets when it opens a segment so. */
  const asNobody = (name: string, access: string): string => {
    const command = `${BUN} ${PROGRAM} try-open ${name} ${access}`;
    const user = ["setpriv", "--reuid=65534", "--clear-groups"];
    return Bun.spawnSync([...user, "sh", "-c", command]).stdout.toString();
  };
  // Bun itself must be readable for that user, which a root-only home directory prevents.
  const runsAsNobody =
    process.getuid?.() === 0 &&
    Bun.which("setpriv") !== null &&
    asNobody("/never-made", "read").startsWith("Cannot open");
  const testAsNobody = testNeeding("root, setpriv, and Bun for every user", runsAsNobody);

  testAsNobody("another user is told what may do", () => {
    const name = fresh();
    Segment.create(name, { size: 4, mode: 0o644 }).close();
    expect(asNobody(name, "readwrite")).toBe(
      `Cannot open segment "${name}": EACCES, permission denied. ` +
        'Its owner or mode forbids writing; pass { access: "read" } to read it only\n',
    );
    expect(asNobody(name, "read")).toBe("opened\n");
    chmodSync(file(name), 0o600);
    expect(asNobody(name, "read")).toContain("its mode keeps this one out");
  });
});

describe("close", () => {
  test("is idempotent, and everything afterwards is an exception", () => {
    const name = fresh();
    const segment = Segment.create(name, { size: 64 });
    const { bytes, view, buffer } = segment;
    const words = new Int32Array(buffer);
    segment.close();
    segment.close();
    expect(segment.closed).toBe(true);
    expect([bytes.length, bytes[0], words[0], buffer.byteLength]).toEqual([
      0,
      undefined,
      undefined,
      0,
    ]);
    expect(() => view.getInt8(0)).toThrow(TypeError);
    expect(() => Atomics.load(words, 0)).toThrow();
    const uses = [
      () => segment.buffer,
      () => segment.bytes,
      () => segment.view,
      () => segment.mode,
      () => segment.resize(128),
      () => segment.remap(),
      () => segment.sync(),
      () => segment.unlink(),
      () => segment.tryLock(0),
      () => segment.isLocked(0),
    ];
    for (const use of uses) expect(use).toThrow(ClosedError);
    expect(thrownBy(uses[0]!).message).toBe(`Cannot use segment "${name}": it is closed`);
  });

  test("in the middle of hot loops ends them with exceptions", () => {
    for (const use of ["view", "atomics", "bytes"]) {
      const segment = Segment.create(fresh(), { size: 4096 });
      const view = segment.view;
      const { bytes } = segment;
      const words = new Int32Array(segment.buffer);
      const loop = (from: number, to: number): number => {
        let sum = 0;
        for (let i = from; i < to; i++) {
          if (i === 2_000_000) segment.close();
          const at = i & 1023;
          if (use === "view") view.setInt32(at * 4, view.getInt32(at * 4, true) + 1, true);
          else if (use === "atomics") Atomics.add(words, at, 1);
          else if (bytes[at] === undefined) throw new TypeError("gone");
          else bytes[at]!++;
          sum++;
        }
        return sum;
      };
      expect(loop(0, 1_999_999)).toBe(1_999_999);
      expect(() => loop(1_999_999, 3_000_000)).toThrow();
    }
  });

  test("while an asynchronous operation pins the buffer, waits for its end to unmap", async () => {
    const name = fresh();
    const segment = Segment.create(name, { size: 1 << 22 });
    const random = seededRandom("bytes that do not compress");
    for (let at = 0; at < 65536; at++) segment.bytes[at] = random() * 256;
    const operation = promisify(gzip)(segment.bytes);
    const { buffer } = segment;
    segment.close();
    expect([segment.closed, buffer.detached, Segment.inUse(name)]).toEqual([true, false, true]);
    expect(() => segment.bytes).toThrow(ClosedError);
    expect((await operation).length).toBeGreaterThan(65536);
    while (!buffer.detached) await Bun.sleep(1);
    while (Segment.inUse(name)) await Bun.sleep(1);
  });

  test("a buffer that an asynchronous operation uses is not resized", async () => {
    using segment = Segment.create(fresh(), { size: 1 << 20 });
    const operation = promisify(gzip)(segment.bytes);
    const refusal = thrownBy(() => segment.resize(1 << 21));
    expect(refusal).toBeInstanceOf(StateError);
    expect(refusal.code).toBe("EBUSY");
    await operation;
    while (thrownByOrNothing(() => segment.resize(1 << 21)) !== undefined) await Bun.sleep(1);
    expect(segment.size).toBe(1 << 21);
  });

  test("forgotten segments are unmapped and their descriptors closed", async () => {
    const left = await forgetMany(
      () => void Segment.create(fresh("forgotten"), { size: 4096 }),
      /-forgotten$/,
    );
    expect(left).toBeLessThanOrEqual(SPARED);
    const stillUsed = names.filter((name) => name.endsWith("forgotten") && Segment.inUse(name));
    expect(stillUsed.length).toBeLessThanOrEqual(SPARED);
  });

  test("is refused while something in the segment is held", () => {
    const segment = Segment.create(fresh(), { size: 64 });
    const release = segment.hold("the mutex at offset 0");
    for (const [verb, use] of [
      ["close", () => segment.close()],
      ["resize", () => segment.resize(128)],
      ["remap", () => segment.remap()],
    ] as const) {
      const refusal = thrownBy(use);
      expect(refusal).toBeInstanceOf(StateError);
      expect([refusal.code, refusal.message]).toEqual([
        "EBUSY",
        `Cannot ${verb} segment "${segment.name}": the mutex at offset 0 is held. Release it first`,
      ]);
    }
    release();
    segment.close();
  });
});

describe("unlink and who lives", () => {
  test("unlink removes the name and leaves the memory to those who have it", () => {
    const name = fresh();
    using segment = Segment.create(name, { size: 8 });
    expect(Segment.exists(name)).toBe(true);
    expect(listSegments().map((info) => info.name)).toContain(name);
    expect(Segment.unlink(name)).toBe(true);
    expect(Segment.unlink(name)).toBe(false);
    expect(Segment.exists(name)).toBe(false);
    segment.bytes[0] = 1;
    expect(segment.bytes[0]).toBe(1);
  });

  test("a handle removes its own object and never a newer one of the name", () => {
    const name = fresh();
    using old = Segment.create(name, { size: 8 });
    Segment.unlink(name);
    using newer = Segment.create(name, { size: 8 });
    expect(old.unlink()).toBe(false);
    expect(Segment.exists(name)).toBe(true);
    expect(newer.unlink()).toBe(true);
    expect(Segment.exists(name)).toBe(false);
  });

  test("the kernel says who lives, at once after SIGKILL", async () => {
    const name = fresh();
    Segment.create(name, { size: 8 }).close();
    expect(Segment.inUse(name)).toBe(false);
    const child = spawnBun(PROGRAM, "hold", name);
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    expect(Segment.inUse(name)).toBe(true);
    const truncate = (): unknown => Segment.openOrCreate(name, { size: 8, truncate: true });
    expect(truncate).toThrow("another handle has it open");
    child.kill("SIGKILL");
    await child.exited;
    expect(Segment.inUse(name)).toBe(false);
  });

  test("a descriptor that was handed to a child counts as a user until the child ends", async () => {
    const name = fresh();
    const segment = Segment.create(name, { size: 8 });
    const child = Bun.spawn(["sh", "-c", "read x"], {
      stdio: ["pipe", "ignore", "ignore", segment.descriptor!],
    });
    segment.close();
    expect(Segment.inUse(name)).toBe(true);
    child.kill("SIGKILL");
    await child.exited;
    expect(Segment.inUse(name)).toBe(false);
  });

  test("byte locks exclude other handles of this process, and others, until SIGKILL", async () => {
    const name = fresh();
    using segment = Segment.create(name, { size: 8 });
    using other = Segment.open(name);
    using lock = segment.tryLock(3)!;
    expect([lock.held, other.tryLock(3), other.isLocked(3)]).toEqual([true, undefined, true]);
    expect(segment.isLocked(4)).toBe(false);
    const child = spawnBun(PROGRAM, "lock", name, "4");
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    expect([segment.isLocked(4), segment.tryLock(4)]).toEqual([true, undefined]);
    child.kill("SIGKILL");
    await child.exited;
    expect(segment.isLocked(4)).toBe(false);
    lock.close();
    lock.close();
    expect([lock.held, other.isLocked(3)]).toEqual([false, false]);
  });

  test("Workers have mappings of their own, and locks exclude them too", async () => {
    expect(await runBun(PROGRAM, "worker", fresh())).toMatchObject({
      exitCode: 0,
      stdout: "shared 7, lock taken\n",
      stderr: "",
    });
  });

  test("hundreds of handles leak no descriptor", () => {
    const name = fresh();
    using keep = Segment.create(name, { size: 8 });
    const before = openDescriptors();
    for (let i = 0; i < 300; i++) {
      Segment.open(name).close();
      thrownBy(() => Segment.open(name, { offset: 4096 }));
      thrownBy(() => Segment.create(name, { size: 1 }));
      keep.tryLock(1)?.close();
      Segment.inUse(name);
      Segment.exists(name);
    }
    // Fewer, when the collector closes forgotten ones of other tests meanwhile.
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });
});

describe("a full /dev/shm", () => {
  const mount = ["unshare", "--mount", "--", "sh", "-c"];
  const prepare = "mount -t tmpfs -o size=1m tmpfs /dev/shm";
  const allowed =
    Bun.which("unshare") !== null && Bun.spawnSync([...mount, prepare]).exitCode === 0;

  testNeeding("root, and unshare", allowed)(
    "is an error that names the room, and leaves nothing behind",
    () => {
      const command = `${prepare} && ${BUN} ${PROGRAM} full`;
      const { stdout, stderr } = Bun.spawnSync([...mount, command]);
      expect(stderr.toString()).toBe("");
      expect(stdout.toString().split("\n")).toEqual([
        'Cannot create segment "/big": ENOSPC, no space left on device. 2097152 bytes were wanted, ' +
          "and /dev/shm has 1048576 of 1048576 free. Remove what is not needed there, mount it " +
          "larger, or start Docker with a larger --shm-size (default 64 MB)",
        "left: ",
        "unreserved: 2097152",
        "Cannot resize: ENOSPC, still 65536 bytes, first 5",
        "",
      ]);
    },
  );
});
