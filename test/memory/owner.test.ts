/** Whose objects are opened: nobody else's, unless the caller says so; and no symbolic links. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  MessageQueue,
  RingBuffer,
  Segment,
  Semaphore,
  SharedMap,
  StateError,
  SystemError,
  codecs,
  openAny,
} from "../../src/index.ts";
import { NAMED_NOUNS, outcomes } from "../support/every-noun.ts";
import { uniqueName } from "../support/names.ts";
import { testNeeding } from "../support/needs.ts";
import { BUN } from "../support/process.ts";
import { MAIN } from "../support/shm.ts";

const ROOT_DIRECTORY = join(import.meta.dir, "../..");
/** Two users who are neither root nor each other. */
const [MALLORY, ALICE] = [65534, 12_345];

/** Runs a Bun program of this repository as another user. @returns What it prints. */
function runAs(uid: number, ...args: string[]): { stdout: string; stderr: string; code: number } {
  const user = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  const { stdout, stderr, exitCode } = Bun.spawnSync([...user, BUN, ...args], {
    cwd: ROOT_DIRECTORY,
    env: { ...process.env, HOME: "/tmp", NO_COLOR: "1" },
  });
  return { stdout: stdout.toString(), stderr: stderr.toString(), code: exitCode };
}

const PEER = "test/peers/every-noun.ts";
const canBeOthers =
  process.getuid?.() === 0 &&
  Bun.which("setpriv") !== null &&
  runAs(ALICE, PEER, "open", "{}").stdout === "{}\n";
const testAsOthers = testNeeding("root, setpriv, and Bun for every user", canBeOthers);

let keys = 0;
const nextKey = (): string => `sysv:0x${((process.pid << 8) | ++keys).toString(16)}`;

/** Names for every noun, and for the kinds of memory beside /dev/shm. */
function namesOfNouns(directory: string): [string, string][] {
  const names = [...NAMED_NOUNS.keys()].map((noun): [string, string] => {
    if (noun === "SystemVSemaphore") return [noun, nextKey()];
    // A portable name has at most 31 bytes.
    return [noun, noun === "PortableSegment" ? `/own${process.pid}.${++keys}` : uniqueName("own")];
  });
  return [
    ...names,
    ["Segment", nextKey()],
    ["Segment", `file:${join(directory, "segment")}`],
    ["SharedMap", `file:${join(directory, "map")}`],
  ];
}

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

/** A directory in which everybody may make files, as in /tmp. */
function publicDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "bun-shm-own-"));
  chmodSync(directory, 0o1777);
  directories.push(directory);
  return directory;
}

function thrownBy(call: () => unknown): Error & { readonly code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

const REFUSED: [string, string] = ["StateError EPERM", "StateError EPERM"];
const OPENED: [string, string] = ["opened", "opened"];

describe("what another user made first", () => {
  testAsOthers(
    "is refused by every noun, unless the caller says whose it may be",
    () => {
      const names = namesOfNouns(publicDirectory());
      const pairs = names.map(([noun, name]) => `${noun}=${name}`);
      expect(runAs(MALLORY, PEER, "make", ...pairs)).toEqual({ stdout: "", stderr: "", code: 0 });
      const seenByRoot = (options: object): unknown =>
        names.map(([noun, name]) => [noun, name, outcomes(noun, name, options)]);
      const all = (outcome: unknown): unknown => names.map(([noun, name]) => [noun, name, outcome]);
      try {
        expect(seenByRoot({})).toEqual(all(REFUSED));
        expect(seenByRoot({ owner: ALICE })).toEqual(all(REFUSED));
        expect(seenByRoot({ owner: MALLORY })).toEqual(all(OPENED));
        expect(seenByRoot({ owner: "any" })).toEqual(all(OPENED));
        // The same in another user's process, and the owner's own is opened without a word.
        const once = pairs.slice(0, NAMED_NOUNS.size);
        const as = (uid: number, options: object): unknown =>
          JSON.parse(runAs(uid, PEER, "open", JSON.stringify(options), ...once).stdout);
        const every = (outcome: unknown): unknown =>
          Object.fromEntries([...NAMED_NOUNS.keys()].map((noun) => [noun, outcome]));
        expect(as(ALICE, {})).toEqual(every(REFUSED));
        expect(as(ALICE, { owner: "any" })).toEqual(every(OPENED));
        expect(as(MALLORY, {})).toEqual(every(OPENED));
      } finally {
        for (const [noun, name] of names) NAMED_NOUNS.get(noun)!.unlink(name);
      }
    },
    60_000,
  );

  testAsOthers("is root's: everybody opens it", () => {
    const name = uniqueName("roots");
    RingBuffer.create(name, { capacity: 4096, mode: 0o666 }).close();
    const { stdout } = runAs(ALICE, PEER, "open", "{}", `RingBuffer=${name}`);
    expect(JSON.parse(stdout)).toEqual({ RingBuffer: OPENED });
    RingBuffer.unlink(name);
  });

  testAsOthers("is refused when it is empty, without a wait for its maker", () => {
    const name = uniqueName("empty");
    writeFileSync(`/dev/shm${name}`, "");
    chownSync(`/dev/shm${name}`, MALLORY, MALLORY);
    chmodSync(`/dev/shm${name}`, 0o666);
    expect(outcomes("RingBuffer", name, {})).toEqual(REFUSED);
    expect(outcomes("Segment", name, { truncate: true })[1]).toBe(REFUSED[1]!);
    expect(statSync(`/dev/shm${name}`).size).toBe(0);
    Segment.unlink(name);
  });

  testAsOthers("keeps its bytes from `truncate`", () => {
    const name = uniqueName("truncate");
    Segment.create(name, { size: 8 }).close();
    writeFileSync(`/dev/shm${name}`, "precious");
    chownSync(`/dev/shm${name}`, MALLORY, MALLORY);
    const truncate = (): Segment => Segment.openOrCreate(name, { size: 16, truncate: true });
    const error = thrownBy(truncate);
    expect(error).toBeInstanceOf(StateError);
    expect(error.message).toBe(
      `Cannot truncate segment "${name}": it belongs to user 65534, and not to root. Anybody can ` +
        `take a name first; { owner: 65534 } opens that user's objects too, { owner: "any" } ` +
        "everybody's",
    );
    expect(readFileSync(`/dev/shm${name}`, "utf8")).toBe("precious");
    Segment.unlink(name);
  });

  testAsOthers("is also a semaphore of a queue that is this user's own", () => {
    const name = uniqueName("queue");
    using queue = MessageQueue.create(name, { mode: 0o666 });
    for (const role of ["mutex", "items", "spaces"]) {
      const file = `/dev/shm/sem.${name.slice(1)}_${role}`;
      chownSync(file, MALLORY, MALLORY);
      expect(outcomes("MessageQueue", name, {})).toEqual(REFUSED);
      expect(outcomes("MessageQueue", name, { owner: MALLORY })).toEqual(OPENED);
      chownSync(file, 0, 0);
    }
    expect(outcomes("MessageQueue", name, {})).toEqual(OPENED);
    queue.unlink();
  });

  testAsOthers("is what a descriptor refers to: that was handed over", () => {
    const name = uniqueName("handed");
    using segment = Segment.create(name, { size: 4096 });
    chownSync(`/dev/shm${name}`, MALLORY, MALLORY);
    using same = Segment.open(`fd:${segment.descriptor}`);
    expect(same.size).toBe(4096);
    segment.unlink();
  });

  testAsOthers("is a System V segment that was given away: its creator keeps every right", () => {
    const name = nextKey();
    const give = `const { symbols: c } = require("bun:ffi").dlopen("libc.so.6", {
        shmget: { args: ["i32", "u64", "i32"], returns: "i32" },
        shmctl: { args: ["i32", "i32", "buffer"], returns: "i32" } });
      const stat = new DataView(new ArrayBuffer(128));
      const id = c.shmget(${Number(name.slice("sysv:".length))}, 4096, 0o1666);
      c.shmctl(id, 2, new Uint8Array(stat.buffer));
      stat.setUint32(4, 0, true);
      console.log(c.shmctl(id, 1, new Uint8Array(stat.buffer)), stat.getUint32(12, true));`;
    expect(runAs(MALLORY, "-e", give).stdout).toBe(`0 ${MALLORY}\n`);
    expect(outcomes("Segment", name, {})).toEqual(REFUSED);
    expect(outcomes("Segment", name, { owner: MALLORY })).toEqual(OPENED);
    Segment.unlink(name);
  });

  testAsOthers(
    "is opened by the command where it is named, and not to --create it",
    () => {
      const name = uniqueName("cli");
      runAs(MALLORY, PEER, "make", `RingBuffer=${name}`, `Semaphore=${name}`);
      const root = (...args: string[]): { text: string; code: number } => {
        const child = Bun.spawnSync([BUN, MAIN, ...args], {
          cwd: ROOT_DIRECTORY,
          stdin: Buffer.from("a line\n"),
          env: { ...process.env, NO_COLOR: "1" },
        });
        return { text: child.stdout.toString() + child.stderr.toString(), code: child.exitCode };
      };
      expect(root("send", name).code).toBe(0);
      expect(root("recv", name, "--count", "1")).toEqual({ text: "a line\n", code: 0 });
      expect(root("sem", "post", name)).toEqual({ text: "1\n", code: 0 });
      for (const command of [
        ["send", name, "--create"],
        ["sem", "post", name, "--create"],
      ]) {
        const { text, code } = root(...command);
        expect(code).toBe(4);
        expect(text).toContain("it belongs to user 65534, and not to root");
      }
      Semaphore.unlink(name);
      Segment.unlink(name);
    },
    60_000,
  );
});

test("the option is checked", () => {
  const name = uniqueName("option");
  for (const owner of [-1, 1.5, Number.NaN, 2 ** 32]) {
    expect(thrownBy(() => Segment.open(name, { owner }))).toBeInstanceOf(RangeError);
    expect(thrownBy(() => Semaphore.openOrCreate(name, { owner }))).toBeInstanceOf(RangeError);
  }
  for (const owner of ["root", null, {}] as never[]) {
    expect(thrownBy(() => RingBuffer.open(name, { owner }))).toBeInstanceOf(TypeError);
    expect(thrownBy(() => openAny(name, { owner }))).toBeInstanceOf(Error);
  }
  expect(existsSync(`/dev/shm${name}`)).toBe(false);
});

describe("a symbolic link", () => {
  test("is followed by nothing, whoever made it and whatever it leads to", () => {
    const directory = publicDirectory();
    const [target, link] = [join(directory, "target"), join(directory, "link")];
    const codec = codecs.utf8;
    SharedMap.create(`file:${target}`, { size: 2 ** 14, codec }).close();
    const before = readFileSync(target);
    symlinkSync(target, link);
    const calls: (() => unknown)[] = [
      () => Segment.open(`file:${link}`),
      () => Segment.open(`file:${link}`, { access: "read", owner: "any" }),
      () => Segment.openOrCreate(`file:${link}`, { size: 2 ** 14 }),
      () => SharedMap.open(`file:${link}`, { codec }),
      () => SharedMap.openOrCreate(`file:${link}`, { size: 2 ** 14, codec }),
      () => openAny(`file:${link}`),
    ];
    for (const call of calls) {
      const error = thrownBy(call);
      expect([error.name, error.code]).toEqual(["SystemError", "ELOOP"]);
      expect(error.message).toContain("It is a symbolic link, which is not followed");
    }
    expect(thrownBy(() => Segment.create(`file:${link}`, { size: 1 })).code).toBe("EEXIST");
    expect(readFileSync(target)).toEqual(before);
    // Removing the name removes the link.
    expect(Segment.unlink(`file:${link}`)).toBe(true);
    expect([existsSync(link), existsSync(target)]).toEqual([false, true]);
  });

  test("to an empty file leaves that empty", () => {
    const directory = publicDirectory();
    const [target, link] = [join(directory, "target"), join(directory, "link")];
    writeFileSync(target, "");
    symlinkSync(target, link);
    expect(thrownBy(() => RingBuffer.openOrCreate(`file:${link}`)).code).toBe("ELOOP");
    expect(statSync(target).size).toBe(0);
  });

  test("in a directory on the way is followed, as everywhere", () => {
    const directory = publicDirectory();
    symlinkSync(directory, join(directory, "way"));
    using made = Segment.create(`file:${join(directory, "way", "file")}`, { size: 64 });
    expect(lstatSync(join(directory, "file")).size).toBe(made.size);
  });

  test("in the place of a semaphore is refused", () => {
    const name = uniqueName("sem");
    Semaphore.create(`${name}-target`).close();
    symlinkSync(`/dev/shm/sem.${name.slice(1)}-target`, `/dev/shm/sem.${name.slice(1)}`);
    for (const call of [() => Semaphore.open(name), () => Semaphore.openOrCreate(name)]) {
      expect(thrownBy(call)).toBeInstanceOf(SystemError);
    }
    for (const each of [name, `${name}-target`]) expect(Semaphore.unlink(each)).toBe(true);
  });
});

test("what is no semaphore is not opened as one", () => {
  const name = uniqueName("nosem");
  const file = `/dev/shm/sem.${name.slice(1)}`;
  for (const [bytes, found] of [
    ["", "0"],
    ["x".repeat(31), "31"],
    ["x".repeat(4096), "4096"],
  ]) {
    writeFileSync(file, bytes!);
    for (const call of [() => Semaphore.open(name), () => Semaphore.openOrCreate(name)]) {
      const expected = `expected 32 bytes at offset 0, found ${found}`;
      expect(thrownBy(call).message).toBe(
        `Cannot open semaphore "${name}": it is no semaphore: ${expected}`,
      );
    }
  }
  Semaphore.unlink(name);
});

describe("the locks of a System V segment", () => {
  /** The file that carries them, of a segment that was made without a key. */
  const locksOf = ({ name }: Segment): string =>
    `/dev/shm/bun-shm.sysv-locks.${name.slice("sysv:#".length)}`;

  testAsOthers("are not those that another user has made first", () => {
    using segment = Segment.create("sysv:private", { size: 2 ** 16 });
    const path = locksOf(segment);
    // The kernel counts ids up, so that they can be known before.
    const program = `require("fs").writeFileSync("${path}", "x"); require("fs").chmodSync("${path}", 0o666)`;
    expect(runAs(MALLORY, "-e", program).code).toBe(0);
    const error = thrownBy(() => segment.tryLock(0));
    expect([error.name, error.code]).toEqual(["StateError", "EPERM"]);
    expect(error.message).toContain("belongs to user 65534, and neither to its owner or creator");
    expect(thrownBy(() => RingBuffer.init(segment, 0, { capacity: 4096 })).code).toBe("EPERM");
    rmSync(path);
    using ring = RingBuffer.init(segment, 0, { capacity: 4096 });
    using producer = ring.producer();
    expect(producer.tryWrite("x")).toBe(true);
    expect(() => RingBuffer.at(segment, 0).producer()).toThrow(StateError);
    segment.unlink();
  });

  testAsOthers("are their owner's when root has made them", () => {
    const program =
      `import { Segment } from "./src/index.ts";` +
      `console.log(Segment.create("sysv:private", { size: 64 }).name);`;
    const name = runAs(MALLORY, "-e", program).stdout.trim();
    using segment = Segment.open(name, { owner: MALLORY });
    using lock = segment.tryLock(0);
    const { uid, mode } = statSync(locksOf(segment));
    expect([lock?.held, uid, mode & 0o777]).toEqual([true, MALLORY, 0o600]);
    segment.unlink();
    expect(existsSync(locksOf(segment))).toBe(false);
  });

  testAsOthers("are made by who may own them, and so with a segment that others write to", () => {
    using segment = Segment.create("sysv:private", { size: 4096, mode: 0o666 });
    const path = locksOf(segment);
    expect([statSync(path).uid, statSync(path).mode & 0o777]).toEqual([0, 0o666]);
    const program =
      `import { Segment } from "./src/index.ts"; using s = Segment.open("${segment.name}");` +
      `try { console.log(s.tryLock(5)?.held); } catch (error) { console.log(error.message); }`;
    expect(runAs(ALICE, "-e", program).stdout).toBe("true\n");
    rmSync(path);
    expect(runAs(ALICE, "-e", program).stdout).toBe(
      `Cannot lock anything of segment "${segment.name}": "${path.slice("/dev/shm".length)}", ` +
        "which carries its locks, is missing: its owner, creator or root must take the first " +
        "lock, which makes that\n",
    );
    expect(existsSync(path)).toBe(false);
    segment.unlink();
  });
});
