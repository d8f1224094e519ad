/** Sizing: an object begins without a byte, and can be mapped only once it has some. */
import { closeSync, constants, fstatSync, ftruncateSync, openSync } from "node:fs";
import { Segment, SystemError } from "../src/index.ts";

const name = `/bun-shm-size-${process.pid}`;
let failures = 0;

function check(what: string, ok: boolean): void {
  console.log(`  ${ok ? "✓" : "✗"} ${what}`);
  if (!ok) failures++;
}

function refused(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

try {
  console.log("1. Made with size 0");
  const message = refused(() => Segment.create(name, { size: 0 }));
  check(`Segment.create refuses it: ${message}`, message !== undefined);
  // As a C program leaves it between shm_open and ftruncate.
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;
  const descriptor = openSync(`/dev/shm${name}`, flags, 0o600);
  check("shm_open alone makes it with 0 bytes", fstatSync(descriptor).size === 0);

  console.log("2. Mapping nothing");
  const code = ((): string | undefined => {
    try {
      Segment.open(name).close();
      return undefined;
    } catch (error) {
      return (error as SystemError).code;
    }
  })();
  check(
    `Segment.open waits a second for its creator, then refuses it: ${code}`,
    code === "ENODATA",
  );

  console.log("3. Growing to 4096 bytes");
  ftruncateSync(descriptor, 4096);
  closeSync(descriptor);
  using segment = Segment.open(name);
  check("it has 4096 bytes now", segment.size === 4096);
  check(
    "and all of them are zero",
    segment.bytes.every((byte) => byte === 0),
  );

  console.log("4. Growing it again, with something in it");
  segment.bytes.set(new TextEncoder().encode("still here"), 0);
  using other = Segment.open(name);
  const old = other.bytes;
  segment.resize(8192);
  check("8192 bytes", segment.size === 8192);
  const text = new TextDecoder().decode(segment.bytes.subarray(0, 10));
  check(`the old data is there: "${text}"`, text === "still here");
  check(
    "the new half is zero",
    segment.bytes.subarray(4096).every((byte) => byte === 0),
  );
  check("who had it mapped before goes on with 4096", other.size === 4096);
  check("and remaps to 8192", other.remap() && other.size === 8192 && old.length === 0);

  console.log("5. Shrinking");
  const shrink = refused(() => segment.resize(4096));
  check(`is refused unless forced: ${shrink}`, shrink !== undefined);
} finally {
  Segment.unlink(name);
}
check("the name is removed", !Segment.exists(name));
process.exit(failures === 0 ? 0 : 1);
