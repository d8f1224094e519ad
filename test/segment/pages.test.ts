/** Pages: mapped before they are used, and huge ones. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RingBuffer, Segment, SharedMap, SharedRecord, codecs, struct } from "../../src/index.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding, testWithMounts } from "../support/needs.ts";
import { BUN } from "../support/process.ts";

const MIB = 2 ** 20;
const SIZE = 4 * MIB;
const directory = mkdtempSync(join(tmpdir(), "bun-shm-pages-"));

let names: string[] = [];
function name(): string {
  const made = uniqueName("pages");
  names.push(made);
  return made;
}
afterEach(() => {
  for (const each of names.splice(0)) Segment.unlink(each);
});

/** How many bytes of the mapping of a buffer this process has in its page table. */
function mappedBytes({ name: object }: Segment): number {
  const maps = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = maps.filter((map) => map.includes(object.replace(/^\w+:/, "")));
  expect(own.length).toBeGreaterThan(0);
  return own.reduce((sum, map) => sum + Number(/^Rss: +(\d+) kB$/m.exec(map)![1]) * 1024, 0);
}

const [major = 0, minor = 0] = readFileSync("/proc/sys/kernel/osrelease", "utf8")
  .split(".")
  .map((part) => Number.parseInt(part, 10));
const isSince = (wanted: number, least: number): boolean =>
  major > wanted || (major === wanted && minor >= least);
const testPrefault = testNeeding("Linux 5.14", isSince(5, 14));

describe("prefault", () => {
  testPrefault("maps every page of a segment that is made, and of one that is opened", () => {
    for (const made of [name(), `memfd:${name().slice(1)}`, `file:${join(directory, "pages")}`]) {
      using lazy = Segment.create(made, { size: SIZE });
      expect([made, mappedBytes(lazy)]).toEqual([made, 0]);
      const path = lazy.path!;
      using opened = Segment.open(path, { prefault: true });
      // Both mappings have the name.
      expect(mappedBytes(lazy)).toBe(SIZE);
      opened.close();
      // A private mapping is mapped, and no page of it is copied.
      using seen = Segment.open(path, { prefault: true, access: "read" });
      expect(mappedBytes(lazy)).toBe(SIZE);
      lazy.bytes[5] = 7;
      expect(seen.bytes[5]).toBe(7);
      if (made.startsWith("/") || made.startsWith("file:")) lazy.unlink();
    }
    const at = name();
    using eager = Segment.create(at, { size: SIZE, prefault: true });
    expect(mappedBytes(eager)).toBe(SIZE);
    expect(eager.bytes.every((byte) => byte === 0)).toBe(true);
    eager.resize(2 * SIZE);
    expect(mappedBytes(eager)).toBe(2 * SIZE);
    using sysv = Segment.create("sysv:private", { size: SIZE, prefault: true });
    sysv.unlink();
    sysv.bytes.fill(1);
  });

  testPrefault("maps every page of a structure", () => {
    const Point = struct({ n: "f64" });
    const [ring, map, record] = [name(), name(), name()];
    using made = RingBuffer.create(ring, { capacity: MIB, prefault: true });
    expect(mappedBytes(made.segment)).toBeGreaterThanOrEqual(MIB);
    using sessions = SharedMap.openOrCreate(map, { size: MIB, codec: codecs.utf8, prefault: true });
    expect(mappedBytes(sessions.segment)).toBeGreaterThanOrEqual(sessions.segment.size);
    using points = SharedRecord.create(record, { codec: Point, prefault: true });
    expect(mappedBytes(points.segment)).toBe(4096);
    const options = { codec: codecs.utf8, prefault: true, access: "read" } as const;
    using seen = SharedMap.open(map, options);
    sessions.set("a", "b");
    expect(seen.get("a")).toBe("b");
  });

  testWithMounts("says when there is no memory for a page", () => {
    const code = `
      import { Segment } from "${join(import.meta.dir, "../../src/index.ts")}";
      try {
        Segment.create("/full", { size: ${8 * MIB}, reserve: false, prefault: true });
      } catch ({ name, code, message }) {
        console.log(name, code, message, Segment.exists("/full"));
      }`;
    const mount = "mount -t tmpfs -o size=4m tmpfs /dev/shm";
    const script = `${mount} && exec ${BUN} -e '${code}'`;
    const { stdout, exitCode } = Bun.spawnSync(["unshare", "-m", "sh", "-c", script]);
    expect([exitCode, String(stdout)]).toEqual([
      0,
      expect.stringMatching(/^SystemError E\w+ Cannot prefault segment "\/full".* false\n$/),
    ]);
  });
});

/** Whether the kernel makes huge pages of others on demand: since Linux 6.1, unless it was built so. */
function canCollapse(): boolean {
  using probe = Segment.create("memfd:probe", { size: 2 * MIB, hugePages: "transparent" });
  return probe.hugeBytes === 2 * MIB;
}

describe("huge pages that the kernel makes", () => {
  testNeeding("MADV_COLLAPSE", canCollapse())("lie under named memory and memfds", () => {
    const at = name();
    using made = Segment.create(at, { size: SIZE + 4096, hugePages: true, prefault: true });
    expect(made.hugeBytes).toBe(SIZE);
    using opened = Segment.open(at, { hugePages: true });
    expect(opened.hugeBytes).toBe(SIZE);
    opened.bytes.fill(3);
    expect([made.bytes[0], made.bytes.at(-1)]).toEqual([3, 3]);
    using memfd = Segment.create("memfd:huge", { size: SIZE, hugePages: "transparent" });
    expect(memfd.hugeBytes).toBe(SIZE);
    using ring = RingBuffer.create(name(), { capacity: SIZE, hugePages: true });
    expect(ring.segment.hugeBytes).toBe(SIZE);
    using producer = ring.producer();
    using consumer = ring.consumer();
    producer.tryWrite("over huge pages");
    expect(String(Buffer.from(consumer.tryTake()!))).toBe("over huge pages");
  });

  test("are no condition: where there are none, the memory is as good", () => {
    using small = Segment.create(name(), { size: 4096, hugePages: true });
    expect(small.hugeBytes).toBe(0);
    small.bytes.fill(1);
    using file = Segment.create(`file:${join(directory, "file")}`, { size: SIZE, hugePages: true });
    file.bytes.fill(1);
    expect(file.hugeBytes % (2 * MIB)).toBe(0);
    expect(file.unlink()).toBe(true);
    small.close();
    expect(() => small.hugeBytes).toThrow("it is closed");
  });

  test("leave no mapping behind", () => {
    const maps = (): number => readFileSync("/proc/self/maps", "utf8").split("\n").length;
    const at = name();
    using _ = Segment.create(at, { size: SIZE });
    const before = maps();
    for (let turn = 0; turn < 50; turn++) {
      Segment.open(at, { hugePages: true }).close();
      Segment.open(at, { hugePages: true, offset: 4096, length: 2 * MIB }).close();
      Segment.open(at, { hugePages: true, access: "read" }).close();
    }
    expect(maps() - before).toBeLessThan(20);
  });
});

process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
