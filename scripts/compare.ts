/**
 * The textbook comparison of POSIX and System V shared memory, and a mapped file beside them: each
 * row proved on the running machine, then all three measured. Exits 1 when a row does not hold.
 *
 *   bun run compare [--json]
 */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Segment, ftok } from "../src/index.ts";

const BACKINGS = ["posix", "sysv", "file"] as const;
type Backing = (typeof BACKINGS)[number];

const directory = mkdtempSync(join(tmpdir(), "bun-shm-compare-"));
const keyFile = join(directory, "key");
writeFileSync(keyFile, "");
let count = 0;

/** Makes a name that nobody else uses. */
function freshName(backing: Backing): string {
  const own = `bun-shm-compare-${process.pid}-${++count}`;
  if (backing === "posix") return `/${own}`;
  if (backing === "file") return `file:${join(directory, own)}`;
  return `sysv:0x${((process.pid << 12) | count).toString(16)}`;
}

/** Runs a program in another process, with a segment's name. @returns What it prints. */
function elsewhere(program: string, name: string): string {
  const imports = `import { Segment } from ${JSON.stringify(join(import.meta.dir, "../src/index.ts"))};`;
  const code = `${imports} const name = ${JSON.stringify(name)}; ${program}`;
  const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", code]);
  return stdout.toString().trim() || stderr.toString().trim();
}

function codeOf(call: () => unknown): string {
  try {
    call();
    return "done";
  } catch (error) {
    return (error as { code?: string; name: string }).code ?? (error as Error).name;
  }
}

function assert(holds: boolean, what: string): void {
  if (!holds) throw new Error(`does not hold: ${what}`);
}

interface Row {
  readonly topic: string;
  /** What textbooks say about each. */
  readonly claims: Readonly<Record<Backing, string>>;
  /** Throws when that does not hold on this machine. */
  prove(backing: Backing): void;
}

const ROWS: readonly Row[] = [
  {
    topic: "naming",
    claims: {
      posix: 'a name, "/x"',
      sysv: "a 32-bit key, by agreement or ftok",
      file: "a path",
    },
    prove(backing) {
      const name =
        backing === "sysv" ? `sysv:${ftok(keyFile, 1 + (count++ % 255))}` : freshName(backing);
      using segment = Segment.create(name, { size: 4096 });
      segment.bytes[0] = 42;
      const seen = elsewhere("console.log(Segment.open(name).bytes[0]);", name);
      segment.unlink();
      assert(seen === "42", `another process finds ${name} by its name alone (it saw ${seen})`);
      assert(codeOf(() => Segment.open(name)) === "ENOENT", "the name is gone after its removal");
    },
  },
  {
    topic: "anonymous objects",
    claims: { posix: "memfd, by descriptor", sysv: "IPC_PRIVATE, by id", file: "none" },
    prove(backing) {
      if (backing === "file") return;
      const name = backing === "posix" ? "memfd:compare" : "sysv:private";
      using segment = Segment.create(name, { size: 4096 });
      const reach = segment.path ?? segment.name;
      segment.bytes[0] = 7;
      const seen = elsewhere("console.log(Segment.open(name).bytes[0]);", reach);
      segment.unlink();
      assert(seen === "7", `another process reaches it as ${reach} (it saw ${seen})`);
    },
  },
  {
    topic: "sizing",
    claims: {
      posix: "made empty, then sized; exact",
      sysv: "sized as it is made; exact",
      file: "made empty, then sized; exact",
    },
    prove(backing) {
      using segment = Segment.create(freshName(backing), { size: 5000 });
      const { size } = segment;
      segment.unlink();
      assert(size === 5000, `it has the 5000 bytes that were asked for (it has ${size})`);
      assert(
        segment.bytes.every((byte) => byte === 0),
        "it is zero-filled",
      );
    },
  },
  {
    topic: "resizing",
    claims: { posix: "grows and shrinks", sysv: "never", file: "grows and shrinks" },
    prove(backing) {
      using segment = Segment.create(freshName(backing), { size: 4096 });
      segment.bytes[0] = 9;
      const grown = codeOf(() => segment.resize(8192));
      const after = [segment.size, segment.bytes[0]];
      segment.unlink();
      if (backing === "sysv") assert(grown === "ENOTSUP", "it keeps its size for life");
      else assert(after[0] === 8192 && after[1] === 9, `it grew and kept its data (${grown})`);
    },
  },
  {
    topic: "visibility",
    claims: {
      posix: "a file in /dev/shm",
      sysv: "a line in /proc/sysvipc/shm",
      file: "a file where it was put",
    },
    prove(backing) {
      using segment = Segment.create(freshName(backing), { size: 4096 });
      const visible =
        backing === "posix"
          ? readdirSync("/dev/shm").includes(segment.name.slice(1))
          : backing === "file"
            ? existsSync(segment.name.slice("file:".length))
            : readFileSync("/proc/sysvipc/shm", "utf8").includes(
                String(Number(segment.name.slice(5)) | 0),
              );
      segment.unlink();
      assert(visible, "it can be seen there while it lives");
    },
  },
  {
    topic: "inspection",
    claims: {
      posix: "ls, xxd, lsof; users by lock and maps",
      sysv: "ipcs; the kernel counts attachments",
      file: "ls, xxd, lsof; users by lock",
    },
    prove(backing) {
      const segment = Segment.create(freshName(backing), { size: 4096 });
      const { name } = segment;
      const used = Segment.inUse(name);
      segment.close();
      const unused = !Segment.inUse(name);
      Segment.unlink(name);
      assert(used && unused, "the kernel knows whether somebody has it");
    },
  },
  {
    topic: "lifetime",
    claims: {
      posix: "until unlink or reboot",
      sysv: "until IPC_RMID or reboot",
      file: "until unlink; survives a reboot",
    },
    prove(backing) {
      const name = freshName(backing);
      elsewhere("Segment.create(name, { size: 64 }).bytes[0] = 5;", name);
      using segment = Segment.open(name);
      assert(segment.bytes[0] === 5, "it outlives the process that made it");
      segment.unlink();
    },
  },
  {
    topic: "after removal",
    claims: {
      posix: "users keep it, the name is free at once",
      sysv: "users keep it, the key is free at once",
      file: "users keep it, the name is free at once",
    },
    prove(backing) {
      using old = Segment.create(freshName(backing), { size: 4096 });
      old.bytes[0] = 1;
      assert(old.unlink(), "it is removed");
      using fresh = Segment.create(old.name, { size: 4096 });
      const both = [old.bytes[0], fresh.bytes[0]];
      fresh.unlink();
      assert(both[0] === 1 && both[1] === 0, "the old memory stays, and the new one is another");
    },
  },
  {
    topic: "several mappings",
    claims: { posix: "yes, also of parts", sysv: "yes, of the whole", file: "yes, also of parts" },
    prove(backing) {
      using segment = Segment.create(freshName(backing), { size: 8192 });
      using second = Segment.open(segment.name);
      segment.bytes[4096] = 3;
      const seen = second.bytes[4096];
      const part = codeOf(() => {
        using window = Segment.open(segment.name, { offset: 4096, length: 10 });
        assert(window.bytes[0] === 3, "the window shows its part");
      });
      segment.unlink();
      assert(seen === 3, "two mappings in one process show the same bytes");
      assert(part === (backing === "sysv" ? "ENOTSUP" : "done"), `a window: ${part}`);
    },
  },
  {
    topic: "permissions",
    claims: { posix: "mode bits", sysv: "mode bits", file: "mode bits" },
    prove(backing) {
      using segment = Segment.create(freshName(backing), { size: 64, mode: 0o640 });
      const { mode } = segment;
      segment.unlink();
      assert(mode === 0o640, `it has the mode that was asked for (0${mode.toString(8)})`);
    },
  },
  {
    topic: "locks that the kernel frees",
    claims: { posix: "byte locks", sysv: "SEM_UNDO; here byte locks", file: "byte locks" },
    prove(backing) {
      using segment = Segment.create(freshName(backing), { size: 64 });
      const hold = "globalThis.lock = Segment.open(name).tryLock(1); console.log(!!lock);";
      const taken = elsewhere(`${hold} process.kill(process.pid, "SIGKILL");`, segment.name);
      using lock = segment.tryLock(1);
      segment.unlink();
      assert(taken === "true" && lock !== undefined, "a killed holder's lock is free at once");
    },
  },
];

/** The median of how long `call` takes, in µs. */
function measure(call: () => void, rounds = 300): number {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = Bun.nanoseconds();
    call();
    times.push((Bun.nanoseconds() - start) / 1e3);
  }
  return times.sort((a, b) => a - b)[rounds >> 1]!;
}

const MIB = 1 << 20;
const SIZE = 16 * MIB;

function figures(backing: Backing): Record<string, number> {
  const small = measure(() => {
    using segment = Segment.create(freshName(backing), { size: 4096 });
    segment.unlink();
  });
  using segment = Segment.create(freshName(backing), { size: SIZE });
  const open = measure(() => Segment.open(segment.name).close());
  const source = new Uint8Array(SIZE).fill(1);
  const first = measure(() => segment.bytes.set(source), 1);
  const write = measure(() => segment.bytes.set(source), 15);
  const read = measure(() => source.set(segment.bytes), 15);
  const sync = backing === "file" ? measure(() => segment.sync(), 5) : 0;
  segment.unlink();
  // Bytes a microsecond are megabytes a second.
  const rate = (us: number): number => Math.round(SIZE / us);
  return {
    "create + unlink, 4 KiB, µs": small,
    "open + close, µs": open,
    "first write, MB/s": rate(first),
    "write, MB/s": rate(write),
    "read, MB/s": rate(read),
    ...(backing === "file" ? { "sync 16 MiB, µs": sync } : {}),
  };
}

const json = process.argv.includes("--json");
let failed = 0;
const proofs: { topic: string; backing: Backing; claim: string; proof: string }[] = [];

try {
  for (const row of ROWS) {
    for (const backing of BACKINGS) {
      let proof = "proved";
      try {
        row.prove(backing);
      } catch (error) {
        proof = `FAILED: ${(error as Error).message}`;
        failed++;
      }
      proofs.push({ topic: row.topic, backing, claim: row.claims[backing], proof });
      if (!json) {
        const mark = proof === "proved" ? "✓" : "✗";
        const label = backing === "posix" ? row.topic : "";
        console.log(`${label.padEnd(28)}${mark} ${backing.padEnd(6)}${row.claims[backing]}`);
        if (proof !== "proved") console.log(`${"".padEnd(30)}${proof}`);
      }
    }
  }
  const measured = Object.fromEntries(BACKINGS.map((backing) => [backing, figures(backing)]));
  const machine = `${cpus()[0]?.model ?? "?"}, ${availableParallelism()} cores, Bun ${Bun.version}`;
  if (json) {
    console.log(JSON.stringify({ machine, failed, proofs, measured }, null, 2));
  } else {
    console.log(`\nMedians on ${machine}`);
    const names = [...new Set(BACKINGS.flatMap((backing) => Object.keys(measured[backing]!)))];
    console.log(`${"".padEnd(30)}${BACKINGS.map((backing) => backing.padStart(10)).join("")}`);
    for (const name of names) {
      const cells = BACKINGS.map((backing) => measured[backing]![name]);
      const shown = cells.map((value) =>
        (value === undefined ? "-" : value >= 100 ? Math.round(value) : value.toFixed(1))
          .toString()
          .padStart(10),
      );
      console.log(`${name.padEnd(30)}${shown.join("")}`);
    }
    console.log(failed === 0 ? "\nEvery row holds" : `\n${failed} rows do not hold`);
  }
} finally {
  rmSync(directory, { recursive: true });
}
process.exitCode = failed === 0 ? 0 : 1;
