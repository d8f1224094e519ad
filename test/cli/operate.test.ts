/** df, doctor, metrics, completion, help, and what another user may do. */
import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import manifest from "../../package.json" with { type: "json" };
import parsePrometheus from "parse-prometheus-text-format";
import * as client from "prom-client";
import {
  type Finding,
  MessageQueue,
  RingBuffer,
  Segment,
  type ObjectUsage,
  doctor,
  metrics,
  prometheusText,
  registerMetrics,
} from "../../src/index.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { uniqueName } from "../support/names.ts";
import { testAsAnother, testWithMounts, testWithMountsAsAnother } from "../support/needs.ts";
import { finished, type Child } from "../support/process.ts";
import { MAIN, outputUntil, shell, shm, shmJson, spawnShm } from "../support/shm.ts";

/** Runs a shell line as root with a small /dev/shm and a System V of its own. */
function inSmallShm(options: string, line: string): ReturnType<typeof shell> {
  const bun = process.execPath;
  return shell(`unshare -m -i bash -c 'mount -t tmpfs -o ${options} tmpfs /dev/shm &&
    bun-shm() { "${bun}" ${MAIN} "$@"; }; ${line}'`);
}

function asNobody(...args: string[]): Promise<Awaited<ReturnType<typeof finished>>> {
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const child = Bun.spawn([...user, process.execPath, MAIN, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, NO_COLOR: "1", HOME: "/tmp" },
  });
  return finished(child as Child);
}

describe("doctor", () => {
  test("says in sentences what it finds", () => {
    const findings = doctor();
    for (const { text, status, fix } of findings) {
      expect(text).toMatch(/^\S.*\.$/);
      if (status === "mend") expect(fix).toBeString();
    }
    expect(findings.map(({ check }) => check)).toContain("permissions");
  });

  testWithMounts("finds a healthy machine healthy", async () => {
    const { stdout } = await inSmallShm("size=128m,mode=1777", 'bun-shm doctor; echo "exit $?"');
    expect(stdout).toContain("runtime");
    expect(stdout).toEndWith("exit 0\n");
  });

  testWithMounts("must mend a full /dev/shm", async () => {
    const fill = "dd if=/dev/zero of=/dev/shm/big bs=4096 count=512 2>/dev/null";
    const { stdout } = await inSmallShm(
      "size=2m,mode=1777",
      `${fill}; bun-shm doctor; echo "exit $?"`,
    );
    expect(stdout).toMatch(/MEND +size +\/dev\/shm is full: 0 of 2097152 bytes are free\./);
    expect(stdout).toContain("exit 1");
    expect(stdout).toMatch(/note +leftovers +\d+ objects? .* by no live process/);
  });

  testWithMounts("must mend a read-only /dev/shm, and notes a small one", async () => {
    const { stdout } = await inSmallShm(
      "size=64m,noexec",
      'bun-shm doctor; mount -o remount,ro /dev/shm; bun-shm doctor; echo "exit $?"',
    );
    expect(stdout).toMatch(/note +size +\/dev\/shm has 64 MiB, the small default of containers/);
    expect(stdout).toContain("noexec, which does not matter");
    expect(stdout).toMatch(/MEND +mount +\/dev\/shm is mounted read-only/);
    expect(stdout).toContain("mount -o remount,rw /dev/shm");
    expect(stdout).toContain("exit 1");
  });

  testWithMountsAsAnother("must mend permissions that keep a user out", async () => {
    const user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    const { stdout } = await inSmallShm(
      "size=2m,mode=755",
      `${user} "${process.execPath}" ${MAIN} doctor; echo "exit $?"`,
    );
    expect(stdout).toMatch(/MEND +permissions +This user cannot make an object: .*EACCES/);
    expect(stdout).toContain("chmod 1777 /dev/shm");
    expect(stdout).toContain("exit 1");
  });

  test("must mend a queue that cannot be", async () => {
    using segment = Segment.create(uniqueName("broken"), { size: 2580 });
    segment.view.setUint32(4, 1, true);
    segment.view.setUint32(8, 99, true);
    segment.view.setUint32(0, 0x4d51534d, true);
    const { findings } = await shmJson<{ findings: Finding[] }>("doctor");
    expect(findings.find(({ text }) => text.includes(segment.name))).toMatchObject({
      status: "mend",
      fix: `bun-shm rm --force ${segment.name}`,
    });
    expect((await shm("stat", segment.name)).stdout).toMatch(/damage +head 99/);
    segment.unlink();
  });

  test("notes limits", async () => {
    const { stdout } = await shell("ulimit -f 100000 -n 200; bun-shm doctor");
    expect(stdout).toContain("ulimit -f unlimited");
    expect(stdout).toContain("200 descriptors");
  });
});

describe("df", () => {
  test("tells room, mount, limits and what is largest", async () => {
    using segment = Segment.create(uniqueName("df"), { size: 1 << 20 });
    const told = await shmJson<Record<string, unknown>>("df");
    expect(told).toMatchObject({ directory: "/dev/shm", size: expect.any(Number) });
    const { stdout } = await shm("df");
    expect(stdout).toContain("Largest:");
    // Above 2^53, with all digits.
    const shmmax = readFileSync("/proc/sys/kernel/shmmax", "utf8").trim();
    expect(stdout).toContain(`kernel.shmmax, largest System V segment: ${shmmax}\n`);
    expect((await shm("df", "--json")).stdout).toContain(`"shmmax": ${shmmax},`);
    segment.unlink();
  });

  testWithMounts("--grow remounts", async () => {
    const { stdout } = await inSmallShm(
      "size=2m",
      "bun-shm df --grow 4M --json; bun-shm df --grow x",
    );
    expect(stdout).toContain('"size": 4194304');
  });

  testAsAnother("--grow says what it takes where it is not allowed", async () => {
    const { exitCode, stderr } = await asNobody("df", "--grow", "1G");
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining("takes root")]);
  });
});

describe("metrics", () => {
  const queueOf = (families: ReturnType<typeof parsePrometheus>, family: string, name: string) =>
    families
      .find((one) => one.name === family)
      ?.metrics.find(({ labels }) => labels?.["name"] === name);

  test("are what a Prometheus parser reads", async () => {
    using queue = MessageQueue.create(`${uniqueName("prom")}"\\x`);
    queue.enqueue("one");
    queue.enqueue("two");
    const { stdout } = await shm("metrics");
    const families = parsePrometheus(stdout);
    expect(queueOf(families, "bun_shm_depth", queue.name)?.value).toBe("2");
    expect(queueOf(families, "bun_shm_capacity", queue.name)?.value).toBe("10");
    expect(families.find(({ name }) => name === "bun_shm_filesystem_size_bytes")?.type).toBe(
      "GAUGE",
    );
    // The other objects of this machine may come and go between the two.
    const ofQueue = (all: typeof families): string[] =>
      all.map(({ name }) => name).filter((name) => queueOf(all, name, queue.name) !== undefined);
    expect(ofQueue(families)).toContain("bun_shm_object_size_bytes");
    expect(ofQueue(parsePrometheus(prometheusText(metrics())))).toEqual(ofQueue(families));
    queue.unlink();
  });

  test("are served over HTTP on 127.0.0.1", async () => {
    const serving = spawnShm("metrics", "--listen", "0");
    const line = await outputUntil(serving, "\n");
    const url = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(line)![0];
    const response = await fetch(url);
    expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    expect(parsePrometheus(await response.text()).length).toBeGreaterThan(1);
    expect((await fetch(new URL("/nothing", url))).status).toBe(404);
    serving.kill("SIGTERM");
    expect(await serving.exited).toBe(0);
  });

  test("are collected by prom-client's registry, afresh at each scrape", async () => {
    using queue = MessageQueue.create(uniqueName("client"));
    const registry = new client.Registry();
    registerMetrics(client, registry);
    queue.enqueue("one");
    const depth = async (): Promise<string | undefined> =>
      queueOf(parsePrometheus(await registry.metrics()), "bun_shm_depth", queue.name)?.value;
    expect(await depth()).toBe("1");
    queue.enqueue("two");
    expect(await depth()).toBe("2");
    queue.unlink();
    queue.close();
    expect(await depth()).toBeUndefined();
  });
});

describe("another user", () => {
  testAsAnother("sees what is there, and is told what is missing", async () => {
    using segment = Segment.create(uniqueName("private"), { size: 64 });
    const { stdout, exitCode } = await asNobody("ls", "--json");
    expect(exitCode).toBe(0);
    const listed = (JSON.parse(stdout) as ObjectUsage[]).find(({ name }) => name === segment.name);
    expect(listed).toMatchObject({ kind: "unreadable", size: 64, owner: "root" });
    for (const args of [["stat"], ["dump"], ["rm"]]) {
      const refused = await asNobody(...args, segment.name);
      expect([args[0], refused.exitCode, refused.stderr]).toEqual([
        args[0],
        4,
        expect.stringMatching(/^bun-shm: .*(EACCES|EPERM)/),
      ]);
    }
    expect((await asNobody("metrics")).exitCode).toBe(0);
    expect((await asNobody("top", "--once", "--interval", "0.05")).exitCode).toBe(0);
    const pruned = await asNobody("prune", "*private*");
    expect(pruned.stdout).toContain("0 removed");
    expect(Segment.exists(segment.name)).toBe(true);
    segment.unlink();
  });
});

describe("the command line", () => {
  test("explains each command, with an example that names it", async () => {
    const outcomes = await Promise.all(
      COMMANDS.map(({ name }) => shm(...name.split(" "), "--help")),
    );
    outcomes.forEach(({ stdout, exitCode }, at) => {
      const { name } = COMMANDS[at]!;
      expect([name, exitCode]).toEqual([name, 0]);
      expect(stdout).toStartWith(`Usage: bun-shm ${name}`);
      expect(stdout).toMatch(/Examples?:\n {2}# .+\n {2}.*bun-shm/);
    });
    const { stdout } = await shm("--help");
    for (const { name } of COMMANDS) expect(stdout).toContain(`  ${name} `);
  });

  test("says its version", async () => {
    for (const flag of ["--version", "-V"]) {
      expect(await shm(flag)).toMatchObject({
        stdout: `bun-shm ${manifest.version}\n`,
        exitCode: 0,
      });
    }
  });

  test("answers nonsense in a sentence, with exit code 2", async () => {
    const lines = [
      ["nonsense"],
      ["sem"],
      ["ls", "--nonsense"],
      ["stat"],
      ["dump", "x", "12q"],
      ["create", "x", "0"],
      ["create", "a/b", "1"],
      ["ls", "--sort", "colour"],
      ["metrics", "--listen", "here"],
      ["completion", "tcsh"],
      ["completion", "toString"],
      ["create", "x", "9007199254740992"],
      ["create", "x", "-5"],
      ["create", "x", "1.5"],
      ["create", "x", "5G"],
      ["restore", "/tmp", "x"],
      ["restore", "/dev/null", "x"],
      ["tail", "x", "--count", "1.5"],
      ["tail", "x", "--count", "0"],
      ["recv", "x", "--timeout", "-1"],
      ["recv", "x", "--timeout=1e12"],
      ["recv", "x", "--wait=soon"],
      ["sem", "wait", "x", "--timeout=NaN"],
      ["set", "x", "k", "v", "--ttl", "0"],
      ["top", "--once", "--interval", "1e9"],
      ["metrics", "--listen", "70000"],
      ["df", "--grow", "much"],
      ["create", "x", "1", "--mode", "9"],
    ];
    for (const line of lines) {
      const { exitCode, stdout, stderr } = await shm(...line);
      expect([line, exitCode, stdout]).toEqual([line, 2, ""]);
      expect(stderr).toMatch(/^bun-shm: .+\n$/);
    }
    expect((await shm()).exitCode).toBe(2);
  });

  test("says in its own words what went wrong, and not in the library's", async () => {
    using segment = Segment.create(uniqueName("words"), { size: 64 });
    const taken = await shm("create", segment.name, "64");
    expect([taken.exitCode, taken.stderr]).toEqual([
      5,
      `bun-shm: Cannot create segment "${segment.name}": EEXIST, file exists. ` +
        "`bun-shm rm` removes it\n",
    ]);
    const busy = await shm("rm", segment.name);
    expect([busy.exitCode, busy.stderr]).toEqual([
      5,
      expect.stringMatching(
        /^bun-shm: Cannot remove "\S+": \d+ bun(\.exe)? \S+ has it\. --force removes/,
      ),
    ]);
    segment.unlink();
    const none = await shm("resize", segment.name, "64");
    expect([none.exitCode, none.stderr]).toEqual([
      3,
      `bun-shm: Cannot open segment "${segment.name}": ENOENT, no such file or directory. ` +
        "`bun-shm ls` lists what there is\n",
    ]);
    const semaphore = await shm("sem", "wait", segment.name);
    expect([semaphore.exitCode, semaphore.stderr]).toEqual([
      3,
      `bun-shm: There is no semaphore "${segment.name}" (ENOENT). ` +
        "`bun-shm sem ls` lists what there is\n",
    ]);
  });

  test("prints JSON of every command that answers", async () => {
    using ring = RingBuffer.create(uniqueName("json"), { capacity: 4096 });
    using raw = Segment.create(uniqueName("jsonraw"), { size: 64 });
    {
      using producer = ring.producer();
      producer.tryWrite("text");
    }
    expect(await shmJson<object>("dump", raw.name, "--struct").catch(String)).toEqual({
      name: raw.name,
      kind: "raw",
      fields: [],
    });
    expect(await shmJson<object>("recv", ring.name, "--count", "1")).toEqual({
      type: 0,
      length: 4,
      text: "text",
    });
    const sent = await shell(`printf 'a\\xff\\nb' | bun-shm send ${ring.name} --json`);
    expect(JSON.parse(sent.stdout)).toEqual({ name: ring.name, records: 2, bytes: 3 });
    const [first] = (await shm("cat", ring.name, "--json")).stdout.split("\n");
    expect(JSON.parse(first!)).toMatchObject({ text: "a\ufffd", bytes: "61ff" });
    expect(await shmJson<object>("completion", "fish")).toMatchObject({ shell: "fish" });
    raw.unlink();
    ring.unlink();
  });

  test("reads and writes sizes and offsets beyond 2 GiB", async () => {
    const name = uniqueName("large");
    expect((await shm("create", name, "3G", "--sparse")).exitCode).toBe(0);
    const file = openSync(`/dev/shm${name}`, "r+");
    writeSync(file, "end", 3 * 2 ** 30 - 3);
    closeSync(file);
    expect(await shmJson<object>("dump", name, "3221225464")).toEqual({
      name,
      offset: 3221225464,
      bytes: `${"00".repeat(5)}656e64`,
    });
    const dumped = await shm("dump", name, "3221225456");
    expect(dumped.stdout).toStartWith("bffffff0  00 00");
    const watched = await shm("dump", name, "--watch");
    expect([watched.exitCode, watched.stderr]).toEqual([2, expect.stringContaining("LENGTH")]);
    expect((await shm("rm", name)).exitCode).toBe(0);
  });

  test("rm --sem removes semaphores only, and restore leaves nothing half done", async () => {
    const name = uniqueName("both");
    using segment = Segment.create(name, { size: 64 });
    const refused = await shm("rm", "--sem", "--force", name);
    expect([refused.exitCode, refused.stderr]).toEqual([
      3,
      expect.stringContaining(`Cannot remove semaphore "${name}": there is none`),
    ]);
    expect(segment.unlink()).toBe(true);
    expect((await shm("restore", "/proc/self/mem", name)).exitCode).not.toBe(0);
    expect(Segment.exists(name)).toBe(false);
  });

  test("completes commands, options and names in bash", async () => {
    using segment = Segment.create(uniqueName("complete"), { size: 64 });
    const { stdout } = await shell(
      `eval "$(bun-shm completion bash)"
      try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bun_shm; echo "\${COMPREPLY[*]}"; }
      try bun-shm pr; try bun-shm sem ""; try bun-shm ls --or; try bun-shm rm ${segment.name.slice(1, 24)}`,
    );
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toBe("prune");
    expect(stdout).toContain("wait");
    expect(stdout).toContain("--orphaned");
    expect(stdout).toContain(segment.name.slice(1));
    segment.unlink();
  });

  test("colours on a terminal alone, and never against NO_COLOR", async () => {
    using segment = Segment.create(uniqueName("colour"), { size: 64 });
    const { stdout } = await shell(
      `unset NO_COLOR; export TERM=xterm
      script -qec "'${process.execPath}' ${MAIN} ls ${segment.name}" /dev/null | grep -c $'\\x1b'
      NO_COLOR=1 script -qec "'${process.execPath}' ${MAIN} ls ${segment.name}" /dev/null | grep -c $'\\x1b'
      bun-shm ls ${segment.name} | grep -c $'\\x1b'`,
    );
    expect(stdout).toBe("2\n0\n0\n");
    segment.unlink();
  });
});
