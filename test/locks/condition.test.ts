import { afterEach, describe, expect, test } from "bun:test";
import { Condition, Mutex, Segment } from "../../src/index.ts";
import { rejected, thrown } from "../support/errors.ts";
import { uniqueName } from "../support/names.ts";
import { finished, spawnBun } from "../support/process.ts";

const PEER = "test/peers/sync-peer.ts";

let name = "";
function create(): { segment: Segment; mutex: Mutex; changed: Condition; words: Int32Array } {
  name = uniqueName("condition");
  const segment = Segment.create(name, { size: 4096 });
  const words = new Int32Array(segment.buffer, Mutex.byteLength() + Condition.byteLength(), 4);
  const mutex = Mutex.init(segment, 0, { onOwnerDied: () => void (words[1] = words[0]!) });
  return { segment, mutex, changed: Condition.init(segment, Mutex.byteLength(), { mutex }), words };
}
afterEach(() => {
  if (name !== "") Segment.unlink(name);
});

describe("a condition", () => {
  test("needs the mutex", async () => {
    const { segment, changed } = create();
    using _ = segment;
    const action = `Cannot wait for condition at 256 in segment "${name}"`;
    expect(() => changed.wait()).toThrow(`${action}: its mutex is not held here`);
    const calls = [
      () => changed.wait(),
      () => changed.notifyOne(),
      () => changed.notifyAll(),
      () => changed.waitFor(() => true),
    ];
    expect(new Set(calls.map(thrown))).toEqual(new Set(["StateError EPERM"]));
    expect(await rejected(changed.waitAsync())).toBe("StateError EPERM");
    expect(await rejected(changed.waitForAsync(() => true))).toBe("StateError EPERM");
    const mutex = Mutex.at(segment, 0);
    expect(thrown(() => Condition.at(segment, 1024, { mutex }))).toBe("StateError ENODATA");
    expect(thrown(() => Condition.at(segment, 0, { mutex }))).toBe("LayoutError ELAYOUT");
    const noMutex = (): unknown => Condition.at(segment, 256, {} as never);
    expect(noMutex).toThrow("its mutex must be a Mutex, not undefined");
  });

  test("after its segment was closed it throws, in a hot loop too", () => {
    const { segment, mutex, changed } = create();
    const loop = (): void => {
      for (let i = 0; ; i++) {
        mutex.lock();
        changed.notifyAll();
        changed.notifyOne();
        mutex.unlock();
        if (i === 50_000) segment.close();
      }
    };
    expect(loop).toThrow("closed");
    expect(thrown(() => changed.wait())).toBe("ClosedError ECLOSED");
  });

  test("a wait releases the mutex, times out, and has it again", () => {
    const { segment, mutex, changed } = create();
    using _ = segment;
    mutex.lock();
    expect(changed.wait({ timeoutMs: 5 })).toBe(false);
    expect(mutex.held).toBe(true);
    expect(changed.waitFor(() => false, { timeoutMs: 5 })).toBe(false);
    expect(changed.waitFor(() => true, { timeoutMs: 0 })).toBe(true);
    changed.notifyOne();
    mutex.unlock();
  });

  test("a predicate that is a promise is refused, not taken for a yes", async () => {
    const { segment, mutex, changed } = create();
    using _ = segment;
    using _guard = mutex.acquire();
    const reason = "its predicate must not return a promise";
    const promising = [async () => false, () => Promise.resolve(false)] as unknown[];
    for (const predicate of promising as (() => boolean)[]) {
      expect(() => changed.waitFor(predicate)).toThrow(reason);
      expect(changed.waitForAsync(predicate)).rejects.toThrow(reason);
    }
    expect(() => changed.waitFor("yes" as never)).toThrow("must be a function");
    expect(changed.waitFor(() => 1 as never)).toBe(true);
    expect(mutex.held).toBe(true);
  });

  test("waits in the event loop are notified one by one, or all", async () => {
    const { segment, mutex, changed } = create();
    using _ = segment;
    let woken = 0;
    const wait = async (): Promise<void> => {
      await mutex.lockAsync();
      await changed.waitAsync();
      woken++;
      mutex.unlock();
    };
    const waits = [wait(), wait(), wait()];
    await Bun.sleep(20);
    mutex.withLock(() => changed.notifyOne());
    await Promise.race(waits);
    await Bun.sleep(20);
    expect(woken).toBe(1);
    mutex.withLock(() => changed.notifyAll());
    await Promise.all(waits);
    expect(woken).toBe(3);
  });

  test("an aborted wait has the mutex", async () => {
    const { segment, mutex, changed } = create();
    using _ = segment;
    mutex.lock();
    const wait = changed.waitAsync({ signal: AbortSignal.timeout(5) });
    expect(mutex.held).toBe(false);
    expect(await wait.then(String, String)).toContain("timed out");
    expect(mutex.held).toBe(true);
    mutex.unlock();
  });
});

describe("processes", () => {
  test("two consumers take exactly what is produced", async () => {
    const { segment, mutex, changed, words } = create();
    using _ = segment;
    const consumers = [1, 2].map(() => spawnBun(PEER, name, "condition-consume", "2000"));
    for (let i = 0; i < 4000; i++) {
      mutex.lock();
      words[0] = words[0]! + 1;
      changed.notifyOne();
      mutex.unlock();
    }
    for (const consumer of consumers) expect((await finished(consumer)).exitCode).toBe(0);
    expect(words[0]).toBe(0);
  });
});
