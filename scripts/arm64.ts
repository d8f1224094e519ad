/**
 * The short form of the tests on another processor: Bun for arm64 under qemu-user, alone, and with
 * this Bun in one map, record, queue and mutex. Without an emulator it is skipped, and says so.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { wrapped } from "./other-bun.ts";

const EMULATOR = Bun.which("qemu-aarch64");
const LIBRARIES = "/usr/aarch64-linux-gnu";
const ALONE = [
  "test/atomics",
  "test/locks/barrier.test.ts",
  "test/locks/condition.test.ts",
  "test/locks/lease.test.ts",
  "test/locks/mutex.test.ts",
  "test/locks/rw-lock.test.ts",
  "test/locks/shared-event.test.ts",
  "test/map/shared-map.test.ts",
  "test/meters/meters.test.ts",
  "test/record/shared-record.test.ts",
  "test/ring/ring-buffer.test.ts",
  "test/segment/segment.test.ts",
  "test/struct",
  "test/waiting/wait-point.test.ts",
];

if (EMULATOR === null || !existsSync(join(LIBRARIES, "lib/ld-linux-aarch64.so.1"))) {
  console.log("skipped: the tests on arm64 need qemu-user and libstdc++6-arm64-cross");
  process.exit(0);
}
using other = wrapped("bun-linux-aarch64", (bun) => `${EMULATOR} -L ${LIBRARIES} ${bun}`);
const passed = [other.testBeside(), other.run(["test", "--timeout", "300000", ...ALONE])];
process.exitCode = passed.every(Boolean) ? 0 : 1;
