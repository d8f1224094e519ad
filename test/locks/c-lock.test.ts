/** C programs that lock a mutex by include/bun_shm.h, and Bun beside them. */
import { afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { constants } from "node:os";
import { Barrier, Mutex, RwLock, Segment, openObject } from "../../src/index.ts";
import {
  AWAITED,
  GRANTED,
  LOST_NUMBER,
  NEXT_WORD,
  NUMBER_SHIFT,
} from "../../src/layout/lock-layout.ts";
import { MUTEX_WAIT_POINT_OFFSET } from "../../src/layout/mutex-layout.ts";
import { BELL_COUNT, WAKE_INCREMENT } from "../../src/layout/wait-point-layout.ts";
import { rejected, thrown } from "../support/errors.ts";
import { killSome } from "../support/kill.ts";
import { uniqueName } from "../support/names.ts";
import { NESTED, testNested, testWithTimeNamespaces, titleNeeding } from "../support/needs.ts";
import { C_COMPILER, type Child, compileC, spawnBun } from "../support/process.ts";
import { seededRandom } from "../support/random.ts";

// A watchdog, and no limit on speed.
setDefaultTimeout(300_000);

const PEER = "test/peers/mutex-peer.ts";
const { EDEADLK, EPERM, EINVAL } = constants.errno;
const ENOTRECOVERABLE = 131;
let name = "";
let program = "";
const started: Child[] = [];

function create(): Segment {
  name = uniqueName("c-lock");
  return Segment.create(name, { size: 8192 });
}

/** A program whose output is read line by line. */
class Peer {
  readonly child: Child;
  readonly #lines: AsyncIterator<string>;

  constructor(child: Child) {
    this.child = child;
    started.push(child);
    this.#lines = linesOf(child);
  }

  async line(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done !== true) return value;
    throw new Error(`The program ended: ${await this.child.stderr.text()}`);
  }

  go(): void {
    this.child.stdin.write("go\n");
    this.child.stdin.flush();
  }

  /** Waits until it ends by itself, without a fault. */
  async end(): Promise<void> {
    await this.child.exited;
    const { exitCode, signalCode, stderr } = this.child;
    const found = { exitCode, signalCode, stderr: await stderr.text() };
    expect(found).toEqual({ exitCode: 0, signalCode: null, stderr: "" });
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }
}

async function* linesOf(child: Child): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of child.stdout) {
    const lines = (text + decoder.decode(bytes, { stream: true })).split("\n");
    text = lines.pop()!;
    yield* lines;
  }
}

function spawn(command: string[]): Peer {
  return new Peer(Bun.spawn(command, { stdio: ["pipe", "pipe", "pipe"] }));
}

const c = (...args: (string | number)[]): Peer => spawn([program, name, ...args.map(String)]);
/** The same in a PID namespace of its own. */
const nested = (...args: string[]): Peer => spawn([...NESTED, program, name, ...args]);
const bun = (what: string): Peer => new Peer(spawnBun(PEER, name, what));

/** Whether the C program took the lock at once, or after a wait. */
async function outcome(peer: Peer): Promise<number> {
  return Number((await peer.line()).split(" ")[0]);
}

const NOT_HELD = 0;
const TAKEN = 1;
const HOLDER_DIED = 2;

afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  if (name !== "") Segment.unlink(name);
});

const isThere = C_COMPILER !== undefined;
describe.skipIf(!isThere)(titleNeeding("bun_shm.h", "a C compiler", isThere), () => {
  beforeAll(() => void (program = compileC("test/peers/c/lock.c", ["-std=gnu11"])));

  test("C and Bun exclude each other, and hand the lock to whoever is next", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const lock = new Int32Array(segment.buffer, 0, 2);
    const words = new Int32Array(segment.buffer, Mutex.byteLength(), 2);
    const count = 200_000;
    const peers = [c("count", count), c("count", count)];
    for (const peer of peers) expect(await peer.line()).toBe("ready");
    for (const peer of peers) peer.go();
    let nexts = 0;
    for (let i = 0; i < count; i++) {
      mutex.lock();
      words[0] = words[0]! + 1;
      words[1] = words[1]! + 1;
      // The others do the same.
      if (i % 1000 < 2) Bun.sleepSync(1);
      if (Atomics.load(lock, NEXT_WORD) !== 0) nexts++;
      mutex.unlock();
    }
    for (const peer of peers) await peer.end();
    expect([...words]).toEqual([3 * count, 3 * count]);
    expect([...lock]).toEqual([0, 0]);
    expect(mutex.deaths).toBe(0);
    expect(nexts).toBeGreaterThan(0);
  });

  for (const [how, timeout] of [
    ["by a try", 0],
    ["with a timeout", 60_000],
    ["by a wait", -1],
  ] as const) {
    test(`C inherits ${how} from a killed Bun holder, and is told`, async () => {
      using segment = create();
      const mutex = Mutex.init(segment, 0);
      const holder = bun("hold");
      await holder.line();
      const heir = c("take", timeout);
      await heir.line();
      if (timeout === 0) {
        expect(await outcome(heir)).toBe(NOT_HELD);
        await holder.kill();
        heir.go();
      } else {
        await holder.kill();
      }
      expect(await outcome(heir)).toBe(HOLDER_DIED);
      expect(mutex.deaths).toBe(1);
      heir.go();
      expect(await outcome(heir)).toBe(TAKEN);
    });
  }

  test("C inherits from a killed C holder, and whoever inherits from a dead heir is told", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    for (let deaths = 0; deaths < 3; deaths++) {
      const holder = c("hold");
      expect(await outcome(holder)).toBe(deaths === 0 ? TAKEN : HOLDER_DIED);
      await holder.kill();
    }
    expect(mutex.deaths).toBe(2);
    using guard = mutex.acquire();
    expect(guard.ownerDied).toBe(true);
  });

  test("Bun inherits from a killed C holder, and is told", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const calls: (() => boolean | Promise<boolean>)[] = [
      () => mutex.tryLock(),
      () => mutex.lock(),
      () => mutex.lock({ timeoutMs: 60_000 }),
      () => mutex.lockAsync(),
    ];
    for (const [at, lock] of calls.entries()) {
      const holder = c("hold");
      await holder.line();
      expect(mutex.tryLock()).toBe(false);
      await holder.kill();
      expect(await lock()).toBe(true);
      expect([mutex.ownerDied, mutex.deaths]).toEqual([true, at + 1]);
      mutex.unlock();
    }
  });

  test("a Bun program that waits when C dies inherits, in its event loop and blocked", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const holder = c("hold");
    await holder.line();
    const blocked = bun("hold");
    const waiting = mutex.lockAsync();
    await holder.kill();
    await Promise.race([waiting, blocked.line()]);
    expect(mutex.deaths).toBe(1);
    await blocked.kill();
    expect(await waiting).toBe(true);
    mutex.unlock();
  });

  test("C wakes an event loop that waits for its unlock", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const state = new Int32Array(segment.buffer, MUTEX_WAIT_POINT_OFFSET, 1);
    const holder = c("hold");
    await holder.line();
    const waiting = mutex.lockAsync();
    while (Atomics.load(state, 0) === 0) await Bun.sleep(1);
    holder.go();
    expect(await waiting).toBe(true);
    expect(mutex.ownerDied).toBe(false);
    expect(await holder.line()).toBe("unlocked");
    expect(Atomics.load(state, 0)).toBeGreaterThanOrEqual(WAKE_INCREMENT);
    mutex.unlock();
  });

  test("C rings a bell again whose owner has closed C's connection", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const other = Mutex.at(segment, 0);
    const bells = new Int32Array(segment.buffer, MUTEX_WAIT_POINT_OFFSET + 4, BELL_COUNT);
    const holder = c("turns");
    const callers: Bun.Socket[] = [];
    for (let turn = 0; turn < 3; turn++) {
      await holder.line();
      const waits = [mutex.lockAsync(), other.lockAsync()];
      while (bells.every((id) => id === 0)) await Bun.sleep(1);
      const id = bells.find((each) => each !== 0)! >>> 0;
      holder.go();
      expect(await holder.line()).toBe("unlocked");
      await Promise.race(waits);
      // Its owner is alive, and the other handle still waits.
      expect([...bells].map((each) => each >>> 0)).toContain(id);
      (mutex.held ? mutex : other).unlock();
      await Promise.all(waits);
      (mutex.held ? mutex : other).unlock();
      // So many that the owner closes what came first.
      const unix = `\0bun-shm-bell-${id.toString(16).padStart(8, "0")}`;
      for (let caller = 0; caller < 70; caller++) {
        callers.push(await Bun.connect({ unix, socket: { data() {} } }));
      }
      holder.go();
    }
    for (const caller of callers) caller.terminate();
  });

  test.each(["thread", "main"])(
    "a %s that ends while it holds it counts as dead",
    async (which) => {
      using segment = create();
      const mutex = Mutex.init(segment, 0);
      const calls: (() => boolean | Promise<boolean>)[] = [
        // Who joins a thread goes on an instant before the kernel has forgotten it.
        async () => {
          while (!mutex.tryLock()) await Bun.sleep(1);
          return true;
        },
        () => mutex.lock(),
        () => mutex.lockAsync(),
      ];
      for (const lock of calls) {
        const peer = c(which);
        expect(await peer.line()).toBe("ended");
        expect(await lock()).toBe(true);
        expect(mutex.ownerDied).toBe(true);
        mutex.unlock();
        await peer.kill();
      }
      const peer = c(which);
      expect(await peer.line()).toBe("ended");
      const heir = c("take", -1);
      await heir.line();
      expect(await outcome(heir)).toBe(HOLDER_DIED);
      expect(peer.child.exitCode).toBeNull();
    },
  );

  test("whoever looks finds the C program that holds it, and the C programs that use it", async () => {
    using segment = create();
    Mutex.init(segment, 0);
    const [user, holder] = [c("take", 0), c("turns")];
    await user.line();
    await user.line();
    await holder.line();
    using object = openObject(name);
    const holders = object.holders().map(({ role, pid, state }) => ({ role, pid, state }));
    expect(holders).toEqual([{ role: "lock", pid: holder.child.pid, state: "running" }]);
    expect(Segment.inUse(name)).toBe(true);
    await holder.kill();
    expect(object.holders()).toMatchObject([{ role: "lock", state: "dead" }]);
  });

  test("C's timed lock ends while Bun holds it, and gets it afterwards", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    mutex.lock();
    const peer = c("take", 60);
    await peer.line();
    for (let round = 0; round < 5; round++) {
      const [result, elapsedMs] = (await peer.line()).split(" ").map(Number);
      expect(result).toBe(NOT_HELD);
      expect(elapsedMs).toBeGreaterThanOrEqual(60);
      if (round === 4) mutex.unlock();
      peer.go();
    }
    expect(await outcome(peer)).toBe(TAKEN);
    // It says so before it unlocks.
    expect(mutex.lock()).toBe(true);
    mutex.unlock();
  });

  test("signals that come all the time hide no death from C", async () => {
    using segment = create();
    Mutex.init(segment, 0);
    const holder = bun("hold");
    await holder.line();
    const peer = c("interrupted", -1);
    await peer.line();
    await holder.kill();
    expect(await outcome(peer)).toBe(HOLDER_DIED);
  });

  test("what C gives up, nobody can lock any more; and the other way round", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    await bun("end-held").child.exited;
    const peer = c("abandon");
    expect(await peer.line()).toBe(String(HOLDER_DIED));
    for (let call = 0; call < 2; call++) {
      expect(await peer.line()).toBe(String(-ENOTRECOVERABLE));
    }
    expect(thrown(() => mutex.lock())).toBe("StateError ENOTRECOVERABLE");
    expect(await rejected(mutex.lockAsync())).toBe("StateError ENOTRECOVERABLE");

    const anew = Mutex.init(segment, 0, { overwrite: true });
    await bun("end-held").child.exited;
    anew.lock();
    const waiting = c("take", -1);
    await waiting.line();
    const lock = new Int32Array(segment.buffer, 0, 1);
    while ((Atomics.load(lock, 0) & AWAITED) === 0) await Bun.sleep(1);
    anew.abandon();
    expect(await outcome(waiting)).toBe(-ENOTRECOVERABLE);
  });

  test("C refuses what is not held, what this thread holds, and finds who lives", async () => {
    using segment = create();
    Mutex.init(segment, 0);
    const peer = c("misuse");
    const lines: number[] = [];
    for (let at = 0; at < 12; at++) lines.push(Number(await peer.line()));
    const twice = [-EDEADLK, -EDEADLK];
    expect(lines).toEqual([-EPERM, ...twice, ...twice, -EPERM, -EPERM, 1, 1, 0, 1, 2]);
    await peer.end();
  });

  test("C takes only a mutex for a mutex", async () => {
    using segment = create();
    const find = async (offset: number): Promise<number> => outcome(c("find", offset));
    expect(await find(0)).toBe(-5001);
    Mutex.init(segment, 0);
    RwLock.init(segment, 1024, { readers: 4 });
    Barrier.init(segment, 4096, { parties: 2 });
    Mutex.init(segment, 8192 - 256);
    expect(await find(0)).toBe(0);
    expect(await find(8192 - 256)).toBe(0);
    expect(await find(1024)).toBe(-5003);
    expect(await find(4096)).toBe(-5003);
    expect(await find(8192 - 128)).toBe(-5005);
    expect(await find(8192)).toBe(-5005);
    expect(await find(2 ** 40)).toBe(-5005);
    expect(await find(64)).toBe(-EINVAL);
  });

  test("whatever another process writes into the words, C's calls end", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const random = seededRandom("scribble under a C lock");
    const lock = new Int32Array(segment.buffer, 0, 2);
    mutex.lock();
    const living = lock[0]!;
    mutex.unlock();
    const point = new Int32Array(segment.buffer, MUTEX_WAIT_POINT_OFFSET, 32);
    const hostile = [0, 1, 2, 3, -1, -4, 2 ** 31, LOST_NUMBER << NUMBER_SHIFT, GRANTED | 1, living];
    for (let round = 0; round < 4; round++) {
      const peers = [c("often", 1000), c("often", 1000)];
      let left = peers.length;
      for (const { child } of peers) void child.exited.then(() => left--);
      while (left > 0) {
        const noise = Math.floor(random() * 2 ** 32);
        const word = random() < 0.5 ? noise : hostile[Math.floor(random() * hostile.length)]!;
        lock[Math.floor(random() * 2)] = word;
        if (random() < 0.1) point[Math.floor(random() * 32)] = noise;
        if (random() < 0.01) await Bun.sleep(0);
      }
      for (const peer of peers) await peer.end();
      lock.fill(0);
    }
  });

  test("the data are whole whenever somebody has it, while C and Bun are killed", async () => {
    using segment = create();
    Mutex.init(segment, 0);
    const words = new Int32Array(segment.buffer, Mutex.byteLength(), 2);
    const random = seededRandom("C mutex kills");
    let spawned = 0;
    const load = (): Child => (spawned++ % 3 === 0 ? spawnBun(PEER, name, "load") : spawnC());
    const spawnC = (): Child =>
      Bun.spawn([program, name, "load"], { stdio: ["pipe", "pipe", "pipe"] });
    const kills = await killSome(load, { random, children: 3, kills: 60, soakKills: 2000 });
    const mutex = Mutex.at(segment, 0, { onOwnerDied: () => void (words[1] = words[0]!) });
    using _ = mutex.acquire();
    expect(words[0]).toBe(words[1]!);
    expect(words[0]).toBeGreaterThanOrEqual(kills);
    expect(mutex.deaths).toBeLessThanOrEqual(kills);
    console.log(`C mutex: ${kills} kills, ${mutex.deaths} of them while held, ${words[0]} locks`);
  });

  testWithTimeNamespaces("whoever lives where clocks are moved is not taken for dead", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const moved = ["unshare", "-T", "--boottime", "12345", "--fork", "--kill-child"];
    const holder = spawn([...moved, program, name, "hold"]);
    await holder.line();
    const near = c("take", 0);
    await near.line();
    expect([mutex.tryLock(), await outcome(near)]).toEqual([false, NOT_HELD]);
    await holder.kill();
    expect(mutex.lock()).toBe(true);
    expect(mutex.ownerDied).toBe(true);
    const far = spawn([...moved, program, name, "take", "0"]);
    await far.line();
    expect(await outcome(far)).toBe(NOT_HELD);
    mutex.unlock();
    far.go();
    expect(await outcome(far)).toBe(TAKEN);
  });

  testNested("a C program in another PID namespace takes part", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const words = new Int32Array(segment.buffer, Mutex.byteLength(), 2);
    const count = 20_000;
    const peers = [nested("count", String(count)), nested("count", String(count))];
    for (const peer of peers) expect(await peer.line()).toBe("ready");
    for (const peer of peers) peer.go();
    for (let i = 0; i < count; i++) {
      mutex.lock();
      words[0] = words[0]! + 1;
      words[1] = words[1]! + 1;
      mutex.unlock();
    }
    for (const peer of peers) await peer.end();
    expect([...words]).toEqual([3 * count, 3 * count]);
    expect(mutex.deaths).toBe(0);
  });

  testNested("a process that dies in another PID namespace is known to be dead", async () => {
    using segment = create();
    const mutex = Mutex.init(segment, 0);
    const holder = nested("hold");
    await holder.line();
    expect(mutex.tryLock()).toBe(false);
    // The same numbers live here, and mean others.
    const other = c("take", 0);
    await other.line();
    expect(await outcome(other)).toBe(NOT_HELD);
    await holder.kill();
    expect(mutex.lock()).toBe(true);
    expect(mutex.ownerDied).toBe(true);

    const heir = nested("take", "-1");
    await heir.line();
    mutex.unlock();
    expect(await outcome(heir)).toBe(TAKEN);
  });

  testNested(
    "a thread that ends there is dead to its own, and to others with its process",
    async () => {
      using segment = create();
      const mutex = Mutex.init(segment, 0);
      const both = '"$0" "$1" thread & read -r; "$0" "$1" take 0';
      const peers = spawn([...NESTED, "bash", "-c", both, program, name]);
      expect(await peers.line()).toBe("ended");
      expect(mutex.tryLock()).toBe(false);
      peers.go();
      expect(await peers.line()).toBe("ready");
      expect(await outcome(peers)).toBe(HOLDER_DIED);
      await peers.kill();

      const peer = nested("thread");
      expect(await peer.line()).toBe("ended");
      expect(mutex.tryLock()).toBe(false);
      await peer.kill();
      expect(mutex.lock()).toBe(true);
      expect(mutex.ownerDied).toBe(true);
      mutex.unlock();
    },
  );
});
