/** Times that are counted from the machine's start, while wall clocks jump. */
import { afterEach, describe, expect, setSystemTime, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Lease, SharedMap, codecs } from "../../src/index.ts";
import { BOOT_WORD, EXPIRY_WORD, STRIPE_BOOT_WORD } from "../../src/layout/map-layout.ts";
import { bootClock, bootMs, steadyMs } from "../../src/memory/boot.ts";
import { uniqueName } from "../support/names.ts";
import { NESTED, testNested, testWithTimeNamespaces } from "../support/needs.ts";
import { BUN } from "../support/process.ts";

const DAY = 86_400_000;

/** Lets this process's `Date` go by `ms`, which nothing that is shared may notice. */
function jump(ms: number): void {
  setSystemTime();
  setSystemTime(Date.now() + ms);
}
afterEach(() => void setSystemTime());

describe("the clock", () => {
  test("runs since the machine's start, and does not jump", async () => {
    const before = [bootMs(), steadyMs()] as const;
    jump(-DAY);
    await Bun.sleep(2);
    expect(bootMs()).toBeWithin(before[0] + 2, before[0] + DAY / 2);
    expect(steadyMs()).toBeWithin(before[1] + 2, before[1] + DAY / 2);
    if (process.platform !== "linux") return;
    const id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
    expect((bootClock().boot >>> 0).toString(16).padStart(8, "0")).toBe(id.slice(0, 8));
  });

  testWithTimeNamespaces("is the same in every time namespace", async () => {
    const script =
      `import { bootMs, steadyMs } from "${process.cwd()}/src/memory/boot.ts";` +
      "console.log(JSON.stringify([bootMs(), steadyMs()]));";
    for (const offset of [DAY / 1000, 7 * DAY]) {
      const before = [bootMs(), steadyMs()] as const;
      const command = ["unshare", "-T", "--boottime", String(offset), "--fork", BUN, "-e", script];
      const child = Bun.spawnSync(command);
      const [boot, steady] = JSON.parse(child.stdout.toString()) as [number, number];
      expect(boot).toBeWithin(before[0], bootMs() + 1);
      expect(steady).toBeWithin(before[1], steadyMs() + 1);
    }
  });
});

testNested("a lease's tokens grow from container to container, and when it is made again", () => {
  const name = uniqueName("token");
  const script =
    `import { Lease } from "${process.cwd()}/src/index.ts";` +
    `using lease = Lease.create("${name}"); console.log(lease.tryAcquire().token); lease.unlink();`;
  const run = (...command: string[]): number => {
    const { stdout, stderr } = Bun.spawnSync([...command, BUN, "-e", script]);
    expect(stderr.toString()).toBe("");
    return Number(stdout.toString());
  };
  const slow = [...NESTED, "sh", "-c", 'sleep 1; exec "$0" "$@"'];
  const tokens = [run(...slow), run(...NESTED), run(...slow), run(...NESTED)];
  expect(tokens.toSorted((a, b) => a - b)).toEqual(tokens);
  expect(tokens[0]).toBeGreaterThan(1e15);
  expect(new Set(tokens).size).toBe(4);
});

describe("a wall clock that jumps", () => {
  test("neither ends an entry of a map nor keeps it", async () => {
    using map = SharedMap.create("memfd:clock", { size: 2 ** 16, codec: codecs.number });
    for (const ms of [DAY, -DAY]) {
      map.set("lock", 1, { ttlMs: 60_000 });
      jump(ms);
      expect([map.get("lock"), map.has("lock"), [...map.keys()]]).toEqual([1, true, ["lock"]]);
      expect(map.setIfAbsent("lock", 2, { ttlMs: 60_000 })).toBe(false);
      expect(map.increment("lock", 1)).toBe(2);
      setSystemTime();
      map.set("short", 1, { ttlMs: 10 });
      jump(ms);
      await Bun.sleep(15);
      expect([map.get("short"), map.setIfAbsent("short", 2)]).toEqual([undefined, true]);
      expect(map.delete("short")).toBe(true);
    }
  });

  testWithTimeNamespaces("nor does another process with clocks of its own", () => {
    const name = uniqueName("clock");
    const options = { size: 2 ** 16, codec: codecs.number };
    using map = SharedMap.create(name, options);
    map.set("mine", 1, { ttlMs: 600_000 });
    const script =
      `import { SharedMap, codecs } from "${process.cwd()}/src/index.ts";` +
      `const map = SharedMap.open("${name}", { codec: codecs.number });` +
      'console.log(map.get("mine"), map.setIfAbsent("mine", 2));' +
      'map.set("theirs", 3, { ttlMs: 600_000 }); map.set("short", 4, { ttlMs: 1 });';
    const moved = ["unshare", "-T", "--boottime", "864000", "--fork", BUN, "-e", script];
    expect(Bun.spawnSync(moved).stdout.toString()).toBe("1 false\n");
    expect([map.get("theirs"), map.get("short")]).toEqual([3, undefined]);
    map.unlink();
  });

  test("lets no token of a lease fall, also when the lease is made again", () => {
    const name = uniqueName("clock");
    let last = 0;
    for (const ms of [0, DAY, -DAY, -Date.now()]) {
      jump(ms);
      using lease = Lease.create(name);
      for (let times = 0; times < 20; times++) {
        using term = lease.tryAcquire()!;
        expect(term.token).toBeGreaterThan(last);
        last = term.token;
      }
      lease.unlink();
    }
  });
});

test("an entry of another start of the machine has expired, and its memory comes back", () => {
  using map = SharedMap.create("memfd:clock", { size: 2 ** 16, codec: codecs.utf8 });
  let count = 0;
  while (map.set(`k${count}`, "x".repeat(100), { ttlMs: 60_000 })) count++;
  // As the map's file looks after a restart: its times are counted from an earlier start.
  const words = new Int32Array(map.segment.buffer);
  const floats = new Float64Array(map.segment.buffer);
  let moved = 0;
  const { stripes } = map.stats();
  for (let at = 8; at + EXPIRY_WORD < words.length; at += 8) {
    const isEntry =
      words[at + BOOT_WORD] === bootClock().boot && floats[(at + EXPIRY_WORD) >> 1]! > 0;
    const isStripe = words[at + STRIPE_BOOT_WORD] === bootClock().boot;
    if (isEntry) words[at + BOOT_WORD]! ^= 1;
    if (isStripe) words[at + STRIPE_BOOT_WORD]! ^= 1;
    moved += Number(isEntry);
  }
  expect([moved, stripes > 0]).toEqual([count, true]);
  expect([map.get("k0"), [...map.keys()]]).toEqual([undefined, []]);
  for (let at = 0; at < count; at++) expect(map.set(`new${at}`, "y".repeat(100))).toBe(true);
});
