import { renameSync } from "node:fs";
import { afterEach, describe, expect, test } from "bun:test";
import { LayoutError, Lease, Segment } from "../../src/index.ts";
import { thrown } from "../support/errors.ts";
import { firstLine } from "../support/kill.ts";
import { uniqueName } from "../support/names.ts";
import { type Child, spawnBun } from "../support/process.ts";

const PEER = "test/peers/sync-peer.ts";

let names: string[] = [];
function fresh(): string {
  const name = uniqueName("lease");
  names.push(name);
  return name;
}
afterEach(() => {
  for (const name of names) Segment.unlink(name);
  names = [];
});

describe("a lease", () => {
  test("is held by one handle at a time, with growing tokens", () => {
    const name = fresh();
    using a = Lease.openOrCreate(name);
    using b = Lease.openOrCreate(name);
    expect([a.isHeld, a.holder, a.term]).toEqual([false, undefined, undefined]);
    const first = a.tryAcquire({ text: "näme" })!;
    expect([first.held, a.isHeld, b.isHeld]).toEqual([true, true, true]);
    expect([a.tryAcquire(), b.tryAcquire()]).toEqual([undefined, undefined]);
    const { pid, since, token, text } = b.holder!;
    expect([pid, token, text]).toEqual([process.pid, first.token, "näme"]);
    expect(Math.abs(since.getTime() - Date.now())).toBeLessThan(60_000);
    first.release();
    first.release();
    expect([first.held, b.isHeld, a.term]).toEqual([false, false, undefined]);
    using second = b.tryAcquire()!;
    expect(second.token).toBeGreaterThan(first.token);
    expect(a.holder?.text).toBe("");
  });

  test("an orderly release wakes who waits; a wait times out and aborts", async () => {
    const name = fresh();
    using a = Lease.openOrCreate(name);
    using b = Lease.openOrCreate(name);
    const term = a.tryAcquire()!;
    expect(await b.acquireAsync({ timeoutMs: 10 })).toBeUndefined();
    expect(b.acquireAsync({ signal: AbortSignal.timeout(10) })).rejects.toThrow("timed out");
    await Bun.sleep(20);
    const next = b.acquireAsync();
    term.release();
    expect(await term.ended).toBe("released");
    using _ = (await next)!;
    expect(b.term?.held).toBe(true);
  });

  test("keeps its segment open; close releases", () => {
    using segment = Segment.create(fresh(), { size: 1024 });
    const lease = Lease.init(segment, 512);
    const term = lease.tryAcquire()!;
    expect(() => segment.close()).toThrow("the lease at 512 is held");
    lease.close();
    expect(term.held).toBe(false);
  });

  test("is lost when its name is removed, and cannot be acquired then", async () => {
    const name = fresh();
    using lease = Lease.openOrCreate(name);
    const term = lease.tryAcquire()!;
    expect(Lease.unlink(name)).toBe(true);
    expect(await term.ended).toBe("lost");
    expect(term.held).toBe(false);
    expect(thrown(() => lease.tryAcquire())).toBe("StateError ESTALE");
    using other = Lease.openOrCreate(name);
    using _ = other.tryAcquire()!;
  });

  test("is lost when its name stands for another one", async () => {
    const [name, other] = [fresh(), fresh()];
    using lease = Lease.openOrCreate(name);
    using newer = Lease.openOrCreate(other);
    const term = lease.tryAcquire()!;
    using __ = newer.tryAcquire()!;
    renameSync(`/dev/shm${other}`, `/dev/shm${name}`);
    expect(await term.ended).toBe("lost");
    expect(newer.unlinked).toBe(true);
  });

  test("after close it throws", () => {
    const lease = Lease.openOrCreate(fresh());
    lease.close();
    lease.close();
    expect(() => lease.tryAcquire()).toThrow("closed");
    expect(() => lease.isHeld).toThrow("closed");
    expect(() => lease.acquire()).toThrow("closed");
    expect(lease.acquireAsync()).rejects.toThrow("closed");
  });

  test("refuses what is no lease, and long texts", () => {
    using segment = Segment.create(fresh(), { size: 1024 });
    segment.view.setUint32(0, 7, true);
    expect(() => Lease.at(segment, 0)).toThrow(LayoutError);
    expect(thrown(() => Lease.at(segment, 512))).toBe("StateError ENODATA");
    const lease = Lease.init(segment, 512);
    expect(() => lease.tryAcquire({ text: "x".repeat(321) })).toThrow("at most 320");
    expect(() => lease.tryAcquire({ text: 5 as never })).toThrow("must be a string, not 5");
    expect(() => lease.tryAcquire({ txt: "x" } as never)).toThrow('did you mean "text"?');
    expect(() => lease.tryAcquire({ text: "a\ud800" })).toThrow("lone surrogate");
    expect(lease.isHeld).toBe(false);
    using _ = lease.tryAcquire({ text: "\ufeffa" })!;
    expect(lease.holder?.text).toBe("\ufeffa");
  });
});

describe("processes", () => {
  async function holder(name: string): Promise<{ child: Child; token: number }> {
    const child = spawnBun(PEER, name, "lease-hold", "a child");
    return { child, token: Number(await firstLine(child)) };
  }

  test("SIGKILL passes it on, with a greater token", async () => {
    const name = fresh();
    using lease = Lease.openOrCreate(name);
    const { child, token } = await holder(name);
    expect(lease.tryAcquire()).toBeUndefined();
    expect([lease.holder?.pid, lease.holder?.text]).toEqual([child.pid, "a child"]);
    const next = lease.acquireAsync();
    await Bun.sleep(20);
    child.kill("SIGKILL");
    using term = (await next)!;
    expect(term.token).toBeGreaterThan(token);
  });

  test("a stopped holder keeps it", async () => {
    const name = fresh();
    using lease = Lease.openOrCreate(name);
    const { child, token } = await holder(name);
    child.kill("SIGSTOP");
    expect(await lease.acquireAsync({ timeoutMs: 400 })).toBeUndefined();
    expect(lease.holder?.token).toBe(token);
    child.kill("SIGCONT");
    const next = lease.acquireAsync();
    child.stdin.write("release\n");
    child.stdin.flush();
    using term = (await next)!;
    expect(term.token).toBeGreaterThan(token);
    child.kill("SIGKILL");
    await child.exited;
  });
});
