/** sys/ipc.h and sys/shm.h: System V shared memory. */
import { type Pointer, ptr, toArrayBuffer } from "bun:ffi";
import { E, fromErrno } from "./errno.ts";
import { C, PLATFORM } from "./platform.ts";
import { libc } from "./symbols.ts";

/** The key that makes a new object, which only its id finds. */
export const IPC_PRIVATE = 0;

/**
 * `key_t ftok(const char *path, int id)`: a key from a file's inode and the low 8 bits of `id`.
 * Two files can give the same key. Errors: EACCES, ENOENT, ENOTDIR.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/ftok.html
 */
export function ftok(path: string, id: number): number {
  const key = libc.ftok(path, id);
  // A key is any 32 bits but -1, so a negative one is no error.
  return key === -1 ? fromErrno(key) : key >>> 0;
}

/**
 * `int shmget(key_t key, size_t size, int shmflg)`: an id. The mode is in the flags' low bits, and
 * no umask applies. Errors: EACCES, EEXIST, EINVAL (size), ENOENT, ENOMEM, ENOSPC (limits).
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/shmget.html
 */
export function shmget(key: number, size: number, flags: number): number {
  return fromErrno(libc.shmget(key | 0, size, flags));
}

/**
 * `void *shmat(int shmid, const void *shmaddr, int shmflg)`: the address. Errors: EACCES, EIDRM,
 * EINVAL, ENOMEM. https://pubs.opengroup.org/onlinepubs/9799919799/functions/shmat.html
 */
export function shmat(id: number, flags: number): number {
  return fromErrno(Number(libc.shmat(id, null, flags)));
}

/** `int shmdt(const void *shmaddr)`, for an address that no ArrayBuffer owns. */
function shmdt(address: number): number {
  return fromErrno(libc.shmdt(address as Pointer));
}

/** What IPC_STAT answers. */
export interface ShmStat {
  readonly key: number;
  readonly uid: number;
  readonly gid: number;
  /** Who made it, and keeps every right of an owner. */
  readonly creator: number;
  /** Permission bits, and SHM_DEST: removed, and gone with its last mapping. */
  readonly mode: number;
  readonly size: number;
  /** Seconds since 1970 of the last change. */
  readonly changed: number;
  readonly creatorPid: number;
  /** How many mappings there are, in all processes. */
  readonly attachments: number;
}

const statBuffer = new ArrayBuffer(128);
const statView = new DataView(statBuffer);

/**
 * `int shmctl(int shmid, IPC_STAT, struct shmid_ds *buf)`. Errors: EACCES, EIDRM, EINVAL.
 * https://pubs.opengroup.org/onlinepubs/9799919799/functions/shmctl.html
 */
export function shmStat(id: number): ShmStat | number {
  const at = PLATFORM?.shmid;
  if (at === undefined) return -E.ENOSYS;
  const result = fromErrno(libc.shmctl(id, C.IPC_STAT, ptr(statBuffer)));
  if (result < 0) return result;
  return {
    key: statView.getUint32(at.key, true),
    uid: statView.getUint32(at.uid, true),
    gid: statView.getUint32(at.gid, true),
    creator: statView.getUint32(at.creator, true),
    mode: statView.getUint32(at.mode, true) & 0xffff,
    size: Number(statView.getBigUint64(at.size, true)),
    changed: Number(statView.getBigInt64(at.changed, true)),
    creatorPid: statView.getInt32(at.creatorPid, true),
    attachments: Number(statView.getBigUint64(at.attachments, true)),
  };
}

/**
 * `int shmctl(int shmid, IPC_RMID, NULL)`: removes the key at once, and the memory with its users.
 */
export function shmRemove(id: number): number {
  return fromErrno(libc.shmctl(id, C.IPC_RMID, null));
}

/** Copies bytes of a segment that this user may only read. @returns Them, or a negated errno. */
export function shmRead(id: number, offset: number, length: number): Uint8Array | number {
  const address = shmat(id, C.SHM_RDONLY);
  if (address < 0) return address;
  const borrowed = toArrayBuffer(address as Pointer, offset, length);
  const copy = new Uint8Array(borrowed).slice();
  shmdt(address);
  return copy;
}
