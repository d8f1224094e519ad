import { afterEach, describe, expect, test } from "bun:test";
import { LayoutError, Segment, SharedEvent } from "../../src/index.ts";
import { EVENT_KIND_OFFSET } from "../../src/layout/event-layout.ts";
import { thrown } from "../support/errors.ts";
import { uniqueName } from "../support/names.ts";
import { finished, runBun, spawnBun } from "../support/process.ts";

const PEER = "test/peers/sync-peer.ts";

let name = "";
function create(): Segment {
  name = uniqueName("event");
  return Segment.create(name, { size: 4096 });
}
afterEach(() => {
  if (name !== "") Segment.unlink(name);
});

describe("an event", () => {
  test("that resets by itself lets one through", () => {
    using segment = create();
    const event = SharedEvent.init(segment, 0, { reset: "auto" });
    expect(event.kind).toBe("auto");
    expect([event.isSet, event.tryWait()]).toEqual([false, false]);
    event.set();
    event.set();
    expect(event.isSet).toBe(true);
    expect([event.wait(), event.isSet, event.tryWait()]).toEqual([true, false, false]);
    expect(event.wait({ timeoutMs: 5 })).toBe(false);
  });

  test("that is reset by hand lets all through", () => {
    using segment = create();
    const event = SharedEvent.init(segment, 0, { reset: "manual", set: true });
    const other = SharedEvent.at(segment, 0);
    expect(other.kind).toBe("manual");
    expect([event.tryWait(), other.tryWait(), event.isSet]).toEqual([true, true, true]);
    other.reset();
    expect(event.wait({ timeoutMs: 0 })).toBe(false);
  });

  test("ends waits in the event loop; they time out and abort", async () => {
    using segment = create();
    const event = SharedEvent.init(segment, 0, { reset: "auto" });
    expect(await event.waitAsync({ timeoutMs: 5 })).toBe(false);
    expect(event.waitAsync({ signal: AbortSignal.timeout(5) })).rejects.toThrow("timed out");
    await Bun.sleep(20);
    const waits = [event.waitAsync(), event.waitAsync()];
    event.set();
    await Promise.race(waits);
    expect(event.isSet).toBe(false);
    event.set();
    expect(await Promise.all(waits)).toEqual([true, true]);
  });

  test("is refused where there is none, and after close", () => {
    const segment = create();
    const event = SharedEvent.init(segment, 0, { reset: "auto" });
    const init = (options: object): (() => unknown) => {
      return () => SharedEvent.init(segment, 256, options as { reset: "auto" });
    };
    expect(init({})).toThrow('its reset must be "auto" or "manual", not undefined');
    expect(init({ reset: "automatic" })).toThrow('not "automatic"');
    expect(init({ reset: "auto", set: 1 })).toThrow("set must be true or false, not 1");
    expect(init({ reste: "auto" })).toThrow('there is no option "reste" (did you mean "reset"?)');
    expect(thrown(() => SharedEvent.init(segment, 0, { reset: "auto" }))).toBe("StateError EEXIST");
    expect(() => SharedEvent.at(segment, 0, { reset: "manual" })).toThrow(
      "it has a different reset: expected manual at offset 4, found auto",
    );
    expect(() => SharedEvent.init(segment, 64, { reset: "auto" })).toThrow("multiple of 128");
    segment.view.setUint32(EVENT_KIND_OFFSET, 9, true);
    expect(() => SharedEvent.at(segment, 0)).toThrow(LayoutError);
    const loop = (): void => {
      for (let i = 0; ; i++) {
        event.set();
        event.wait();
        if (i === 100_000) segment.close();
      }
    };
    expect(thrown(loop)).toBe("ClosedError ECLOSED");
  });
});

describe("processes", () => {
  test("set wakes who sleeps", async () => {
    using segment = create();
    SharedEvent.init(segment, 0, { reset: "manual" });
    SharedEvent.init(segment, 256, { reset: "auto" });
    const waiters = [spawnBun(PEER, name, "event-wait"), spawnBun(PEER, name, "event-wait")];
    await Bun.sleep(100);
    expect((await runBun(PEER, name, "event-set")).exitCode).toBe(0);
    for (const waiter of waiters) {
      const { exitCode, stdout } = await finished(waiter);
      expect([exitCode, stdout]).toEqual([0, "waiting\ntrue\n"]);
    }
  });

  test("no set is lost between two that take turns", async () => {
    using segment = create();
    const ask = SharedEvent.init(segment, 0, { reset: "auto" });
    const answer = SharedEvent.init(segment, 256, { reset: "auto" });
    const child = spawnBun(PEER, name, "event-echo", "5000");
    for (let i = 0; i < 5000; i++) {
      ask.set();
      answer.wait();
    }
    expect((await finished(child)).exitCode).toBe(0);
  });
});
