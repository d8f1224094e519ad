/** Each call of libc fails once: then nothing is left, and the next try works. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Barrier,
  Lease,
  Mutex,
  NamedLocks,
  PortableSegment,
  RateLimiter,
  RingBuffer,
  RwLock,
  Segment,
  Meters,
  SharedAtomics,
  SharedEvent,
  SharedMap,
  SharedRecord,
  SharedTable,
  codecs,
  struct,
} from "../../src/index.ts";
import { E } from "../../src/libc/errno.ts";
import { libc } from "../../src/libc/symbols.ts";
import { FailingCalls, allFailing } from "../support/failing-calls.ts";
import { uniqueName } from "../support/names.ts";

type Table = Record<string, (...args: unknown[]) => unknown>;

/** Makes the call of libc of that number fail. @returns Whether it came to it. */
function withFault(at: number, call: () => void): boolean {
  using calls = new FailingCalls(at);
  call();
  return calls.failed !== undefined;
}

interface Handle {
  close(): void;
}

const LIMIT = { algorithm: "gcra", limit: 10, windowMs: 1000, keys: 20 } as const;
const names = { words: ["w"] } as const;
const codec = struct({ n: "f64" });

/** What is made, found, or made or found, by name. */
const NOUNS: Readonly<Record<string, readonly ((name: string) => Handle)[]>> = {
  Segment: [
    (name) => Segment.create(name, { size: 4096 }),
    (name) => Segment.open(name),
    (name) => Segment.openOrCreate(name, { size: 4096 }),
  ],
  RingBuffer: [
    (name) => RingBuffer.create(name, { capacity: 4096 }),
    (name) => RingBuffer.open(name),
    (name) => RingBuffer.openOrCreate(name, { capacity: 4096 }),
  ],
  SharedMap: [
    (name) => SharedMap.create(name, { size: 2 ** 16, codec: codecs.number }),
    (name) => SharedMap.open(name, { codec: codecs.number }),
    (name) => SharedMap.openOrCreate(name, { size: 2 ** 16, codec: codecs.number }),
  ],
  NamedLocks: [
    (name) => NamedLocks.create(name, { names: 5 }),
    (name) => NamedLocks.open(name),
    (name) => NamedLocks.openOrCreate(name, { names: 5 }),
  ],
  RateLimiter: [
    (name) => RateLimiter.create(name, LIMIT),
    (name) => RateLimiter.open(name),
    (name) => RateLimiter.openOrCreate(name, LIMIT),
  ],
  SharedRecord: [
    (name) => SharedRecord.create(name, { codec }),
    (name) => SharedRecord.open(name, { codec }),
    (name) => SharedRecord.openOrCreate(name, { codec }),
  ],
  SharedTable: [
    (name) => SharedTable.create(name, { codec, rows: 5 }),
    (name) => SharedTable.open(name, { codec }),
    (name) => SharedTable.openOrCreate(name, { codec, rows: 5 }),
  ],
  SharedAtomics: [
    (name) => SharedAtomics.create(name, names),
    (name) => SharedAtomics.open(name, names),
    (name) => SharedAtomics.openOrCreate(name, names),
  ],
  Meters: [
    (name) => Meters.create(name, { size: 2 ** 14 }),
    (name) => Meters.open(name),
    (name) => Meters.openOrCreate(name, { size: 2 ** 14 }),
  ],
  Mutex: [Mutex.create, Mutex.open, Mutex.openOrCreate].map((call) => (name: string) => call(name)),
  RwLock: [
    (name) => RwLock.create(name),
    (name) => RwLock.open(name),
    (name) => RwLock.openOrCreate(name),
  ],
  SharedEvent: [
    (name) => SharedEvent.create(name, { reset: "auto" }),
    (name) => SharedEvent.open(name),
    (name) => SharedEvent.openOrCreate(name, { reset: "auto" }),
  ],
  Barrier: [
    (name) => Barrier.create(name, { parties: 2 }),
    (name) => Barrier.open(name),
    (name) => Barrier.openOrCreate(name, { parties: 2 }),
  ],
  Lease: [
    (name) => Lease.create(name),
    (name) => Lease.open(name),
    (name) => Lease.openOrCreate(name),
  ],
  PortableSegment: [
    (name) => PortableSegment.create(name, { size: 4096 }),
    (name) => PortableSegment.open(name),
    (name) => PortableSegment.openOrCreate(name, { size: 4096 }),
  ],
};

const descriptors = (): number => readdirSync("/proc/self/fd").length;
const mappings = (name: string): number =>
  readFileSync("/proc/self/maps", "utf8").split(name).length - 1;

/** Tries with one fault at each call. @param isLeft Whether the name may be left. */
function walk(name: string, path: string, call: (name: string) => Handle, isThere: boolean): void {
  for (let at = 1; ; at++) {
    const before = descriptors();
    let failure: Error | undefined;
    const came = withFault(at, () => {
      try {
        call(name).close();
      } catch (error) {
        failure = error as Error;
      }
    });
    expect([at, descriptors() - before, mappings(path)]).toEqual([at, 0, 0]);
    if (failure !== undefined) {
      // The first error is the one that is told, and not one of the cleaning up.
      expect(failure.message).not.toContain("Cannot unlink");
      expect(["SystemError", "StateError"]).toContain(failure.name);
      expect([at, Segment.exists(name)]).toEqual([at, isThere]);
      if (isThere) expect(Segment.inUse(name)).toBe(false);
    } else if (!isThere) {
      // It did without what failed, or no call was left to fail.
      expect(Segment.unlink(name)).toBe(true);
    }
    call(name).close();
    expect(Segment.inUse(name)).toBe(false);
    if (!isThere) expect(Segment.unlink(name)).toBe(true);
    if (!came) return;
  }
}

/** What a signal, a limit or a filter of system calls makes of a call. */
const CODES = [E.EINTR, E.EAGAIN, E.EMFILE, E.ENOMEM, E.EPERM, E.ENOSYS];

test.each(Object.entries(NOUNS))("%s is made whatever one call answers, or not", (_, [create]) => {
  const name = uniqueName("answer");
  const called = (() => {
    using calls = new FailingCalls("none", allFailing(0));
    create!(name).close();
    return [...calls.called];
  })();
  Segment.unlink(name);
  const before = descriptors();
  for (const call of called) {
    for (const code of CODES) {
      // It would say that somebody else has the lock, and so is the one who makes it.
      if (call === "fcntl" && code === E.EAGAIN) continue;
      let failure: Error | undefined;
      try {
        using _calls = new FailingCalls(1, { [call]: code });
        create!(name).close();
      } catch (error) {
        failure = error as Error;
      }
      const found = [
        call,
        code,
        failure?.name,
        Segment.unlink(name),
        descriptors(),
        mappings(name),
      ];
      const expected =
        failure === undefined
          ? [undefined, true]
          : [expect.stringMatching(/^(System|State|Unsupported)Error$/), false];
      expect(found).toEqual([call, code, ...expected, before, 0]);
    }
  }
});

const directory = mkdtempSync(join(tmpdir(), "bun-shm-faults-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));

describe.each(Object.entries(NOUNS))("%s", (noun, [create, open, openOrCreate]) => {
  test("by a name", () => {
    const name = uniqueName("fault");
    walk(name, name, create!, false);
    walk(name, name, openOrCreate!, false);
    create!(name).close();
    walk(name, name, open!, true);
    walk(name, name, openOrCreate!, true);
    Segment.unlink(name);
  });

  if (noun === "PortableSegment") return;
  test("in a file", () => {
    const path = join(directory, noun);
    walk(`file:${path}`, path, create!, false);
    create!(`file:${path}`).close();
    walk(`file:${path}`, path, open!, true);
    Segment.unlink(`file:${path}`);
  });
});

test("a memfd that cannot be made leaves no descriptor", () => {
  for (let at = 1, came = true; came; at++) {
    const before = descriptors();
    came = withFault(at, () => {
      try {
        Segment.create("memfd:fault", { size: 4096 }).close();
      } catch (error) {
        expect((error as Error).name).toBe("SystemError");
      }
    });
    expect(descriptors()).toBe(before);
  }
});

test("a lock, a resize and a truncate that fail leave nothing, and work the next time", () => {
  const name = uniqueName("fault");
  using segment = Segment.create(name, { size: 4096 });
  const calls: (() => unknown)[] = [
    () => segment.tryLock(5)?.close(),
    () => segment.isLocked(5),
    () => segment.resize(segment.size + 4096),
    () => Segment.openOrCreate(`${name}2`, { size: 64, truncate: true }).close(),
    () => segment.unlinked,
  ];
  for (const call of calls) {
    for (let at = 1, came = true; came; at++) {
      const before = descriptors();
      came = withFault(at, () => {
        try {
          call();
        } catch (error) {
          expect((error as Error).name).toBe("SystemError");
        }
      });
      expect([call.toString(), at, descriptors()]).toEqual([call.toString(), at, before]);
      expect(call()).not.toBeInstanceOf(Error);
    }
  }
  segment.unlink();
  Segment.unlink(`${name}2`);
});

test("a headed segment with a bad header is let go of at once", () => {
  const name = uniqueName("fault");
  using raw = Segment.create(name, { size: 8192 });
  raw.view.setUint32(0, 0x1234, true);
  const before = descriptors();
  for (let at = 0; at < 600; at++) expect(() => RingBuffer.open(name)).toThrow();
  expect(descriptors()).toBe(before);
  raw.unlink();
});

test("a reservation under a storm of signals ends", () => {
  const table = libc as unknown as Table;
  const real = table["posix_fallocate"]!;
  const most = 64 * 1024;
  // A signal comes so often that only small pieces are finished.
  table["posix_fallocate"] = (descriptor, offset, length) =>
    (length as number) > most ? 4 : real(descriptor, offset, length);
  try {
    using segment = Segment.create("memfd:storm", { size: 2 ** 20 + 3 });
    expect(segment.size).toBe(2 ** 20 + 3);
  } finally {
    table["posix_fallocate"] = real;
  }
});
