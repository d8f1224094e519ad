/** sys/socket.h and sys/un.h: what it takes to ring a doorbell in another process. */
import { ptr } from "bun:ffi";
import { E, fromErrno } from "./errno.ts";
import { close } from "./fcntl.ts";
import { C, PLATFORM } from "./platform.ts";
import { libc } from "./symbols.ts";

/** sizeof(sun_path) on the platform where it is smallest. */
const PATH_MAX = 104;
const address = new ArrayBuffer(2 + PATH_MAX);
const addressBytes = new Uint8Array(address);
const oneByte = new ArrayBuffer(8);

/**
 * `int connect(int, const struct sockaddr *, socklen_t)` on a new stream socket: the descriptor.
 * A path that starts with NUL is in Linux's abstract namespace. Never blocks: -EAGAIN when the
 * listener has not accepted earlier connections yet. -ECONNREFUSED, -ENOENT: nobody listens.
 * https://man7.org/linux/man-pages/man7/unix.7.html
 */
export function connectUnix(path: string): number {
  const length = Buffer.byteLength(path);
  if (length > PATH_MAX - 1) return -E.ENAMETOOLONG;
  addressBytes.fill(0);
  if (PLATFORM?.sockaddrHasLength === true) {
    addressBytes[0] = 2 + length + 1;
    addressBytes[1] = C.AF_UNIX;
  } else {
    new DataView(address).setUint16(0, C.AF_UNIX, true);
  }
  new TextEncoder().encodeInto(path, addressBytes.subarray(2));
  const type = C.SOCK_STREAM | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC;
  const descriptor = fromErrno(libc.socket(C.AF_UNIX, type, 0));
  if (descriptor < 0) return descriptor;
  // An abstract name ends where the length says; a path ends with NUL.
  const size = 2 + length + (path.startsWith("\0") ? 0 : 1);
  const result = fromErrno(libc.connect(descriptor, ptr(address), size));
  if (result === 0) return descriptor;
  close(descriptor);
  return result;
}

/**
 * `ssize_t send(int, const void *, size_t, int)` of one byte: 1; -EAGAIN when the peer has not read
 * the earlier ones yet; -EPIPE, -ECONNRESET when it is gone. Never blocks, never raises SIGPIPE.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/send.html
 */
export function sendByte(descriptor: number): number {
  return fromErrno(libc.send(descriptor, ptr(oneByte), 1, C.MSG_DONTWAIT | C.MSG_NOSIGNAL));
}
