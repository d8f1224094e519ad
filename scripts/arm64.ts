/**
 * The short form of the tests on another processor: Bun for arm64 under qemu-user, alone, and with
 * this Bun in one map, record, queue and mutex. Without an emulator it is skipped, and says so.
 */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { devDependencies } from "../package.json";

const EMULATOR = Bun.which("qemu-aarch64");
const LIBRARIES = "/usr/aarch64-linux-gnu";
const ALONE = [
  "test/atomics",
  "test/locks/lease.test.ts",
  "test/map/shared-map.test.ts",
  "test/record/shared-record.test.ts",
  "test/ring/ring-buffer.test.ts",
  "test/waiting/wait-point.test.ts",
];

function run(command: readonly string[], env: Readonly<Record<string, string>> = {}): boolean {
  const stdio = ["ignore", "inherit", "inherit"] as const;
  return Bun.spawnSync([...command], { stdio: [...stdio], env: { ...process.env, ...env } })
    .success;
}

if (EMULATOR === null || !existsSync(join(LIBRARIES, "lib/ld-linux-aarch64.so.1"))) {
  console.log("skipped: the tests on arm64 need qemu-user and libstdc++6-arm64-cross");
  process.exit(0);
}
const directory = mkdtempSync(join(tmpdir(), "bun-shm-arm64-"));
try {
  const bunPackage = `@oven/bun-linux-aarch64@${devDependencies.bun}`;
  const packed = Bun.spawnSync(["npm", "pack", "--silent", bunPackage], { cwd: directory });
  const archive = packed.stdout.toString().trim();
  if (!packed.success || !run(["tar", "xzf", join(directory, archive), "-C", directory])) {
    throw new Error(`There is no ${bunPackage}: ${packed.stderr.toString()}`);
  }
  const emulated = join(directory, "bun");
  const program = join(directory, "package/bin/bun");
  writeFileSync(emulated, `#!/bin/sh\nexec ${EMULATOR} -L ${LIBRARIES} ${program} "$@"\n`);
  chmodSync(emulated, 0o755);
  const testing = ["test", "--timeout", "300000"];
  const beside = { BUN_SHM_OTHER_BUN: emulated };
  const passed = [
    run([process.execPath, ...testing, "test/locks/other-bun.test.ts"], beside),
    run([emulated, ...testing, ...ALONE], { BUN_SHM_TEST_BUN: emulated }),
  ];
  process.exitCode = passed.every(Boolean) ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true });
}
