/** sys/sem.h: System V semaphores; here each set has only one. */
import { ptr } from "bun:ffi";
import { E, fromErrno } from "./errno.ts";
import { C, PLATFORM } from "./platform.ts";
import { libc } from "./symbols.ts";
import { timespec } from "./time.ts";

/**
 * `int semget(key_t key, int nsems, int semflg)`: an id. Errors: EACCES, EEXIST, EINVAL, ENOENT,
 * ENOSPC (limits). https://pubs.opengroup.org/onlinepubs/9799919799/functions/semget.html
 */
export function semget(key: number, count: number, flags: number): number {
  return fromErrno(libc.semget(key | 0, count, flags));
}

// struct sembuf: unsigned short sem_num; short sem_op; short sem_flg.
const operation = new ArrayBuffer(6);
const operationView = new DataView(operation);

/**
 * `int semtimedop(int semid, struct sembuf *sops, size_t nsops, const struct timespec *timeout)`:
 * adds `change`, and sleeps while that would be negative, at most `timeoutMs`. 0, -EAGAIN after the
 * timeout, -EINTR, -EIDRM when the set was removed meanwhile, -ERANGE.
 * https://man7.org/linux/man-pages/man2/semop.2.html
 */
export function semtimedop(id: number, change: number, flags: number, timeoutMs: number): number {
  operationView.setUint16(0, 0, true);
  operationView.setInt16(2, change, true);
  operationView.setInt16(4, flags, true);
  return fromErrno(libc.semtimedop(id, ptr(operation), 1, timespec(timeoutMs)));
}

/** `int semctl(id, 0, GETVAL)`: the value; `GETNCNT`: how many wait; `GETPID`: the last user. */
export function semctlGet(id: number, command: number): number {
  return fromErrno(libc.semctl(id, 0, command, 0));
}

/** `int semctl(id, 0, SETVAL, value)`: also forgets everybody's undo of this semaphore. */
export function semctlSetValue(id: number, value: number): number {
  return fromErrno(libc.semctl(id, 0, C.SEM_SETVAL, value));
}

const statBuffer = new ArrayBuffer(128);
const statView = new DataView(statBuffer);

/**
 * `int semctl(id, 0, IPC_STAT, struct semid_ds *buf)`: the numbers of its owner and of its creator,
 * who keeps every right. Errors: EACCES, EIDRM, EINVAL.
 */
export function semOwners(id: number): readonly [number, number] | number {
  const at = PLATFORM?.shmid;
  if (at === undefined) return -E.ENOSYS;
  const result = fromErrno(libc.semctl(id, 0, C.IPC_STAT, Number(ptr(statBuffer))));
  if (result < 0) return result;
  return [statView.getUint32(at.uid, true), statView.getUint32(at.creator, true)];
}

/** `int semctl(id, 0, IPC_RMID)`: removes it at once; those who wait for it wake with EIDRM. */
export function semRemove(id: number): number {
  return fromErrno(libc.semctl(id, 0, C.IPC_RMID, 0));
}
