/** Snapshots of a map, and their restoring. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { LayoutError, SharedMap, codecs } from "../../src/index.ts";
import { caught } from "../support/caught.ts";
import { seededRandom } from "../support/random.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bun-shm-test-"));
  path = join(directory, "map.snapshot");
});
afterEach(() => rmSync(directory, { recursive: true }));

const newMap = (size = 2 ** 20): SharedMap<string> =>
  SharedMap.create("memfd:snapshot", { size, codec: codecs.utf8 });

describe("snapshot", () => {
  test("all entries come back, with their times", () => {
    using map = newMap();
    for (let at = 0; at < 1000; at++) map.set(`k${at}`, "x".repeat(at % 300));
    map.set("", "empty key");
    map.set("short", "lived", { ttlMs: 60_000, staleMs: 5000 });
    map.set("gone", "x", { ttlMs: 1e-6 });
    expect(map.snapshot(path)).toBe(1002);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(["map.snapshot"]);
    using other = newMap();
    other.set("k5", "mine");
    other.set("own", "mine");
    expect(other.restore(path)).toEqual({ stored: 1002, full: 0, expired: 0 });
    expect(other.size).toBe(1003);
    for (const [key, value] of map.entries()) expect(other.get(key)).toBe(value);
    expect(other.get("own")).toBe("mine");
    expect(other.ttl("short")!).toBeLessThanOrEqual(60_000);
    other.touch("short", 1e-6);
    expect(other.getStale("short")).toEqual({ value: "lived", stale: true });
  });

  test("asynchronously, while others write and the loop turns", async () => {
    using map = newMap(2 ** 22);
    for (let at = 0; at < 10_000; at++) map.set(`k${at}`, "x".repeat(200));
    let turns = 0;
    const timer = setInterval(() => map.set(`k${turns++}`, "y"), 0);
    expect(await map.snapshotAsync(path)).toBe(10_000);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    using other = newMap(2 ** 22);
    expect((await other.restoreAsync(path)).stored).toBe(10_000);
    for (const value of other.values()) expect(["y", "x".repeat(200)]).toContain(value);
  });

  test("what has expired meanwhile does not come back", async () => {
    using map = newMap();
    map.set("short", "x", { ttlMs: 1000 });
    map.set("kept", "x", { ttlMs: 1000, staleMs: 60_000 });
    map.set("long", "x");
    expect(map.snapshot(path)).toBe(3);
    await Bun.sleep(1010);
    using other = newMap();
    expect(other.restore(path)).toEqual({ stored: 2, full: 0, expired: 1 });
    expect(other.getStale("kept")).toEqual({ value: "x", stale: true });
  });

  test("in another run of the machine, the wall clock says how much time has passed", () => {
    using map = newMap();
    map.set("k", "x", { ttlMs: 60_000 });
    map.set("short", "x", { ttlMs: 5000 });
    map.snapshot(path);
    changeHead(path, (head) => {
      head["boot"] = (head["boot"] as number) ^ 1;
      head["wallMs"] = (head["wallMs"] as number) - 10_000;
    });
    using other = newMap();
    expect(other.restore(path)).toEqual({ stored: 1, full: 0, expired: 1 });
    expect(other.ttl("k")!).toBeLessThanOrEqual(50_000);
    expect(other.ttl("k")!).toBeGreaterThan(45_000);
  });

  test("a smaller map takes what fits", () => {
    using map = newMap();
    for (let at = 0; at < 1000; at++) map.set(`k${at}`, "x".repeat(100));
    map.set("long", "x".repeat(10_000));
    map.snapshot(path);
    using other = newMap(2 ** 15);
    const { stored, full, expired } = other.restore(path);
    expect([stored + full, expired]).toEqual([1001, 0]);
    expect(stored).toBe(other.size);
    expect(stored).toBeGreaterThan(50);
  });

  test("another codec and other keys are refused, before anything is stored", () => {
    using map = newMap();
    map.set("k", "x");
    map.snapshot(path);
    using numbers = SharedMap.create("memfd:n", { size: 2 ** 16, codec: codecs.number });
    const error = caught(() => numbers.restore(path)) as Error;
    expect(error).toBeInstanceOf(LayoutError);
    expect(error.message).toContain(codecs.number.id);
    expect(error.message).toContain(codecs.utf8.id);
    using bytes = SharedMap.create("memfd:b", {
      size: 2 ** 16,
      codec: codecs.utf8,
      key: codecs.bytes,
    });
    // Text is bytes too, and not the other way around.
    expect(bytes.restore(path).stored).toBe(1);
    bytes.set(new Uint8Array([0xff]), "x");
    bytes.snapshot(path);
    expect(caught(() => map.restore(path))).toBeInstanceOf(LayoutError);
    expect(map.size).toBe(1);
  });

  test("a file that was cut off or changed anywhere stores nothing", () => {
    using map = newMap();
    for (let at = 0; at < 20; at++) map.set(`k${at}`, "value");
    map.snapshot(path);
    const whole = readFileSync(path);
    const random = seededRandom("snapshots");
    using other = newMap();
    for (let turn = 0; turn < 300; turn++) {
      const bytes = Buffer.from(whole);
      const at = Math.floor(random() * bytes.length);
      const cut = turn % 3 === 0;
      if (!cut) bytes[at]! ^= 1 + Math.floor(random() * 255);
      writeFileSync(path, cut ? bytes.subarray(0, at) : bytes);
      expect(caught(() => other.restore(path))).toBeInstanceOf(LayoutError);
    }
    expect(other.size).toBe(0);
    writeFileSync(path, whole);
    expect(other.restore(path).stored).toBe(20);
  });

  test("a failure leaves the old file, and nothing beside it", () => {
    using map = newMap();
    map.set("k", "x");
    map.snapshot(path);
    const before = readFileSync(path);
    map.close();
    expect(() => map.snapshot(path)).toThrow("closed");
    expect(readFileSync(path)).toEqual(before);
    using other = newMap();
    expect(caught(() => other.snapshot(join(directory, "none", "x")))).toMatchObject({
      code: "ENOENT",
    });
    expect(caught(() => other.restore(join(directory, "none")))).toMatchObject({ code: "ENOENT" });
    expect(() => other.snapshot("")).toThrow(TypeError);
    expect(readdirSync(directory)).toEqual(["map.snapshot"]);
  });
});

/** Changes the head of a snapshot, whose length must stay, and corrects the checksum. */
function changeHead(file: string, change: (head: Record<string, unknown>) => void): void {
  const bytes = readFileSync(file);
  const length = bytes.readUInt32LE(12);
  const head = JSON.parse(bytes.toString("utf8", 16, 16 + length)) as Record<string, unknown>;
  change(head);
  const text = Buffer.from(JSON.stringify(head));
  const start = Buffer.from(bytes.subarray(0, 16));
  start.writeUInt32LE(text.length, 12);
  const rest = bytes.subarray(16 + length, -4);
  const all = Buffer.concat([start, text, rest, Buffer.alloc(4)]);
  all.writeUInt32LE(crc32(all.subarray(0, -4)), all.length - 4);
  writeFileSync(file, all);
}
