/** watch: every object whatever its name, once, and what it says when it could not see all. */
import { afterAll, describe, expect, test } from "bun:test";
import { linkSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Segment, Semaphore } from "../../src/index.ts";
import { type Change, DirectoryChanges } from "../../src/cli/changes.ts";
import { uniqueName } from "../support/names.ts";
import { eventually, spawnShm } from "../support/shm.ts";

const directory = mkdtempSync(join(tmpdir(), "bun-shm-watch-"));
afterAll(() => rmSync(directory, { recursive: true }));
const at = (file: string): string => join(directory, file);

/** What the changes are: "create x 3". */
function told(changes: Iterable<Change>): string[] {
  return [...changes].map(({ event, file, size }) => `${event} ${file} ${size ?? "?"}`);
}

/** What the second of two calls tells: the first one leaves the files alone that just changed. */
function settled(changes: DirectoryChanges): string[] {
  expect(told(changes.settle())).toEqual([]);
  return told(changes.settle());
}

describe("the changes of a directory", () => {
  test("are told once, and of the file that is there", () => {
    writeFileSync(at("old"), "123");
    const changes = new DirectoryChanges(directory);
    writeFileSync(at("a"), "12");
    expect(told(changes.of("a", true))).toEqual(["create a 2"]);
    expect(told(changes.of("a", false))).toEqual([]);
    truncateSync(at("a"), 100);
    expect(told(changes.of("a", false))).toEqual(["resize a 100"]);
    // Another file under the same name.
    renameSync(at("old"), at("a"));
    expect(told(changes.of("old", true))).toEqual(["delete old 3"]);
    expect(told(changes.of("a", true))).toEqual(["delete a 100", "create a 3"]);
    rmSync(at("a"));
    expect(told(changes.of("a", true))).toEqual(["delete a 3"]);
  });

  test("of a file that was gone before the look are a pair, for one event or for two", () => {
    const changes = new DirectoryChanges(directory);
    expect(told(changes.of("short", false))).toEqual([]);
    expect(told(changes.of("short", true))).toEqual(["create short ?", "delete short ?"]);
    expect(told(changes.of("short", true))).toEqual([]);
    expect(told(changes.of("short", true))).toEqual(["create short ?", "delete short ?"]);
    expect(changes.isUndecided).toBe(true);
    expect(settled(changes)).toEqual([]);
    expect(changes.isUndecided).toBe(false);
    expect(told(changes.of("short", true))).toEqual(["create short ?", "delete short ?"]);
  });

  test("leave out glibc's temporary files, and no semaphore of six letters", () => {
    const changes = new DirectoryChanges(directory);
    // As glibc makes a semaphore: a file that is written to, linked to its name, and removed.
    writeFileSync(at("sem.Xa1b2C"), "12");
    expect(told(changes.of("sem.Xa1b2C", true))).toEqual([]);
    expect(told(changes.of("sem.Xa1b2C", false))).toEqual([]);
    linkSync(at("sem.Xa1b2C"), at("sem.orders"));
    expect(told(changes.of("sem.orders", true))).toEqual([]);
    rmSync(at("sem.Xa1b2C"));
    expect(told(changes.of("sem.Xa1b2C", true))).toEqual([]);
    expect(settled(changes)).toEqual(["create sem.orders 2"]);
    expect(changes.isUndecided).toBe(false);
    rmSync(at("sem.orders"));
    expect(told(changes.of("sem.orders", true))).toEqual(["delete sem.orders 2"]);
    // One that is gone before it is decided, and the one event that may be left of its two.
    for (const events of [1, 2]) {
      for (let event = 0; event < events; event++) {
        expect(told(changes.of("sem.abc123", true))).toEqual([]);
      }
      expect(settled(changes)).toEqual(["create sem.abc123 ?", "delete sem.abc123 ?"]);
    }
  });

  test("are told although the watcher leaves an event out", () => {
    const changes = new DirectoryChanges(directory);
    writeFileSync(at("brief"), "12");
    expect(told(changes.of("brief", true))).toEqual(["create brief 2"]);
    rmSync(at("brief"));
    expect(settled(changes)).toEqual(["delete brief 2"]);
  });

  test("are compared as a whole when events were lost", () => {
    writeFileSync(at("stays"), "1");
    writeFileSync(at("goes"), "12");
    writeFileSync(at("grows"), "1");
    const changes = new DirectoryChanges(directory);
    rmSync(at("goes"));
    writeFileSync(at("comes"), "1234");
    writeFileSync(at("grows"), "123");
    expect(told(changes.all()).sort()).toEqual([
      "create comes 4",
      "delete goes 2",
      "resize grows 3",
    ]);
    expect(told(changes.all())).toEqual([]);
  });
});

describe("watch", () => {
  test("tells of semaphores of any name once, and that events were lost", async () => {
    const watching = spawnShm("watch", "--json");
    let text = "";
    const reading = (async () => {
      for await (const chunk of watching.stdout) text += Buffer.from(chunk).toString();
    })();
    const events = (): { event: string; name: string; type: string }[] =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    const has = (event: string, name: string): boolean =>
      events().some((each) => each.event === event && each.name === name);
    // It has no word for "ready": objects are made until it tells of one.
    const first = uniqueName("ready");
    await eventually(() => {
      Segment.create(first, { size: 64 }).unlink();
      return has("delete", first);
    });
    // Six letters, as glibc's temporary files have, by the process id, so that nobody has them.
    const six = `/${(process.pid % 36 ** 6).toString(36).padStart(6, "z")}`;
    const names = [uniqueName("sem"), six, `${six}7`];
    for (const name of names) {
      using semaphore = Semaphore.create(name);
      expect(semaphore.created).toBe(true);
      Semaphore.unlink(name);
      await eventually(() => has("delete", name));
    }
    for (const name of names) {
      const own = events().filter((each) => each.name === name);
      expect(own.map(({ event, type }) => [event, type])).toEqual([
        ["create", "semaphore"],
        ["delete", "semaphore"],
      ]);
    }
    // More events than the kernel keeps, while it is stopped.
    const made = uniqueName("made");
    const busy = uniqueName("busy");
    watching.kill("SIGSTOP");
    for (let round = 0; round < 20_000; round++) {
      writeFileSync(`/dev/shm${busy}`, "");
      rmSync(`/dev/shm${busy}`);
    }
    using segment = Segment.create(made, { size: 64 });
    watching.kill("SIGCONT");
    await eventually(() => has("create", made));
    segment.unlink();
    await eventually(() => has("delete", made));
    watching.kill("SIGTERM");
    expect(await watching.exited).toBe(0);
    await reading;
    expect(await watching.stderr.text()).toContain("Events were lost");
  });
});
