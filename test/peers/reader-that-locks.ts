/**
 * Opens a file for reading only, as whoever runs it, takes shared locks of an open file description
 * on all bytes that nobody else has locked, which needs no more than that, and keeps them until its
 * input ends.
 */
import { dlopen } from "bun:ffi";
import { openSync } from "node:fs";

const { symbols } = dlopen("libc.so.6", {
  fcntl: { args: ["i32", "i32", "buffer"], returns: "i32" },
});
const [F_OFD_SETLK, F_RDLCK] = [37, 0];
/** Halves of a range that is locked are tried down to this length. */
const LEAST = 2n ** 20n;
const descriptor = openSync(process.argv[2]!, "r");
const flock = new DataView(new ArrayBuffer(32));

function share(start: bigint, length: bigint): void {
  flock.setInt16(0, F_RDLCK, true);
  flock.setBigInt64(8, start, true);
  flock.setBigInt64(16, length, true);
  if (symbols.fcntl(descriptor, F_OFD_SETLK, new Uint8Array(flock.buffer)) === 0) return;
  if (length <= LEAST) return;
  share(start, length / 2n);
  share(start + length / 2n, length / 2n);
}

share(0n, 2n ** 62n);
share(2n ** 62n, 2n ** 62n);
console.log("locked");
for await (const _ of Bun.stdin.stream());
