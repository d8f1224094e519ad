/** Names that are not UTF-8: one spelling each, by which everything finds and removes them. */
import { describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { Segment, Semaphore, listSegments, openObject, prune, usage } from "../../src/index.ts";
import { spelled, unspelled } from "../../src/libc/name-spelling.ts";
import { pathBytes, pathText } from "../../src/libc/path-bytes.ts";
import { TEST_PREFIX, uniqueName } from "../support/names.ts";
import { shm, shmJson } from "../support/shm.ts";

const file = (...parts: (string | number)[]): Buffer =>
  Buffer.concat([
    Buffer.from("/dev/shm/"),
    ...parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part))),
  ]);
const mine = ({ name }: { name: string }): boolean => name.includes(TEST_PREFIX);
const left = (): number =>
  readdirSync("/dev/shm", { encoding: "buffer" }).filter((name) => name.includes(TEST_PREFIX))
    .length;

describe("spelling", () => {
  test("gives all names of up to four of the bytes that matter one spelling each, and back", () => {
    const bytes = [0x5c, 0x78, 0x65, 0x39, 0xe9, 0xc3, 0xa9, 0x41];
    const spellings = new Set<string>();
    const wrong: string[] = [];
    let count = 0;
    const walk = (name: readonly number[]): void => {
      const text = spelled(pathText(Buffer.from(name)));
      const same = pathBytes(unspelled(text)).equals(Buffer.from(name));
      if (!same || !text.isWellFormed()) wrong.push(text);
      spellings.add(text);
      count++;
      if (name.length < 4) for (const byte of bytes) walk([...name, byte]);
    };
    walk([]);
    expect(wrong).toEqual([]);
    expect(spellings.size).toBe(count);
  });

  test("leaves ordinary names as they are", () => {
    for (const name of ["/orders", "/caf\u00e9", "/a\\b", "/\\x", "/\u{1f600}"]) {
      expect(spelled(name)).toBe(name);
      expect(unspelled(name)).toBe(name);
    }
    expect(spelled(pathText(Buffer.of(0x2f, 0xe9)))).toBe("/\\xe9");
    expect(spelled("/\\xe9")).toBe("/\\\\xe9");
  });
});

describe("names that are not UTF-8", () => {
  test("are listed, opened, looked into and removed by their spelling", async () => {
    const bare = uniqueName("caf").slice(1);
    writeFileSync(file(bare, 0xe9), "x".repeat(64));
    writeFileSync(file(bare, "\\xe9"), "y".repeat(32));
    const names = [`/${bare}\\xe9`, `/${bare}\\\\xe9`];
    const found = usage().filter(mine);
    expect(found.map(({ name }) => name).sort()).toEqual(names.toSorted());
    expect(names.map((name) => found.find((each) => each.name === name)?.size)).toEqual([64, 32]);
    expect(listSegments().filter(mine).length).toBe(2);
    using segment = Segment.open(names[0]!);
    expect(segment.size).toBe(64);
    using object = openObject(names[1]!);
    expect(object.read(0, 1)).toEqual(Buffer.from("y"));
    const { stdout, exitCode } = await shm("stat", names[0]!);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining("64 bytes")]);
    segment.close();
    const listed = await shmJson<{ name: string }[]>("ls", names[0]!);
    expect(listed.map(({ name }) => name)).toEqual([names[0]!]);
    expect((await shm("rm", ...names)).exitCode).toBe(0);
    expect(left()).toBe(0);
  });

  test("are names of semaphores too, and of what is created", async () => {
    const name = `${uniqueName("sem")}\\xff`;
    using semaphore = Semaphore.create(name, { value: 3 });
    expect(usage().find((each) => each.name === name)).toMatchObject({
      type: "semaphore",
      value: 3,
    });
    using again = Semaphore.open(name);
    expect(again.value).toBe(3);
    expect((await shm("sem", "get", name)).stdout).toBe("3\n");
    expect(semaphore.unlink()).toBe(true);
    using segment = Segment.create(name, { size: 64 });
    expect(Segment.exists(name)).toBe(true);
    expect(segment.unlink()).toBe(true);
    expect(left()).toBe(0);
  });

  test("prune removes them, and names of 255 bytes", () => {
    const bare = uniqueName("prune").slice(1);
    writeFileSync(file(bare, 0xff, 0xfe), "x".repeat(64));
    writeFileSync(file("sem.", bare, 0xff), "\0".repeat(32));
    writeFileSync(file(bare.padEnd(255, "n")), "x".repeat(64));
    writeFileSync(file("sem.", bare.padEnd(251, "n")), "\0".repeat(32));
    const { removed, failed } = prune({ only: mine });
    expect([removed.length, failed]).toEqual([4, []]);
    expect(left()).toBe(0);
  });

  test("cannot hold a NUL or a slash", () => {
    expect(() => Segment.open("/a\\x00b")).toThrow("it contains a NUL character");
    expect(() => Segment.open("/a\\x2fb")).toThrow('it must have no "/" but the first');
    expect(() => Semaphore.open("/\\x2e\\x2e")).toThrow("it names a directory");
  });
});
