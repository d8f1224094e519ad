/** Sizing: a new object has no bytes, and can be mapped only once it has some. */
import { closeSync, constants, fstatSync, ftruncateSync, openSync } from "node:fs";
import { Segment } from "bun-shm";
import { check, finish, outcomeOf, refusalOf } from "./support/checks.ts";

const name = `/bun-shm-size-${process.pid}`;
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

try {
  console.log("1. Made with size 0");
  const message = refusalOf(() => Segment.create(name, { size: 0 }));
  check(`Segment.create refuses it: ${message}`, message !== undefined);
  // As a C program leaves it between shm_open and ftruncate.
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;
  const descriptor = openSync(`/dev/shm${name}`, flags, 0o600);
  check("only shm_open: it has 0 bytes", fstatSync(descriptor).size === 0);

  console.log("2. Mapping nothing");
  const code = outcomeOf(() => Segment.open(name));
  check(
    `Segment.open waits a second for its creator, then refuses it: ${code}`,
    code === "ENODATA",
  );

  console.log("3. Growing to 4096 bytes");
  ftruncateSync(descriptor, 4096);
  closeSync(descriptor);
  using segment = Segment.open(name);
  check("it has 4096 bytes now", segment.size === 4096);
  check("and all of them are zero", isZero(segment.bytes));

  console.log("4. Growing it again, with something in it");
  segment.bytes.set(new TextEncoder().encode("still here"), 0);
  using other = Segment.open(name);
  const old = other.bytes;
  segment.resize(8192);
  check("8192 bytes", segment.size === 8192);
  const text = new TextDecoder().decode(segment.bytes.subarray(0, 10));
  check(`the old data is there: "${text}"`, text === "still here");
  check("the new half is zero", isZero(segment.bytes.subarray(4096)));
  check("who had it mapped before goes on with 4096", other.size === 4096);
  check("and remaps to 8192", other.remap() && other.size === 8192 && old.length === 0);

  console.log("5. Shrinking");
  const shrink = refusalOf(() => segment.resize(4096));
  check(`is refused unless forced: ${shrink}`, shrink !== undefined);
} finally {
  Segment.unlink(name);
}
check("the name is removed", !Segment.exists(name));
await finish();
