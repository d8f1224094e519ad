/** Rows of the table of errors: locks. */
import { Barrier, Condition, Lease, Mutex, RwLock, SharedEvent } from "../../src/index.ts";
import { RW_LOCK_PLACES_OFFSET } from "../../src/layout/rw-lock-layout.ts";
import { EVENT_KIND_OFFSET } from "../../src/layout/event-layout.ts";
import { BARRIER_PARTIES_OFFSET } from "../../src/layout/barrier-layout.ts";
import {
  type ErrorRow,
  waitingTwice,
  any,
  closedSegmentOf,
  crowded,
  locked,
  mutexOfAnotherLibc,
  nameless,
  placed,
  poked,
  raw,
  reading,
  writing,
} from "./provoke.ts";

export const LOCKS: readonly ErrorRow[] = [
  {
    provoke: (name) => Mutex.at(raw(name), 0),
    error: "LayoutError",
    text: "There is no mutex here: expected 0x5854554d at offset 64, found 0: nobody has made one here",
  },
  {
    provoke: (name) => Mutex.at(raw(name), 64),
    error: "RangeError",
    text: 'Cannot place a mutex at offset 64 of segment "NAME": it must be a multiple of 128',
  },
  {
    provoke: (name) => Mutex.at(raw(name), 8192),
    error: "RangeError",
    text: 'Cannot place a mutex at offset 8192 of segment "NAME": its 256 bytes end beyond the segment\'s 8192',
  },
  {
    provoke: (name) => Mutex.at(raw(name, { access: "read" }), 0),
    error: "TypeError",
    text: 'Cannot place a mutex at offset 0 of segment "NAME": the segment is read-only here',
  },
  {
    provoke: (name) => Mutex.init(raw(name), 0).unlock(),
    error: "SystemError",
    code: "EPERM",
    text: 'Cannot unlock the mutex at 0 in segment "NAME": EPERM, operation not permitted. This handle does not hold it',
  },
  {
    provoke: (name) => locked(Mutex.init(raw(name), 0)).lock(),
    error: "SystemError",
    code: "EDEADLK",
    text: 'Cannot lock the mutex at 0 in segment "NAME": EDEADLK, resource deadlock avoided. This handle holds it already',
  },
  {
    provoke: (name) => locked(Mutex.init(raw(name), 0)).tryLock(),
    error: "SystemError",
    code: "EDEADLK",
    text: 'Cannot lock the mutex at 0 in segment "NAME": EDEADLK, resource deadlock avoided. This handle holds it already',
  },
  {
    provoke: (name) => locked(Mutex.init(raw(name), 0)).abandon(),
    error: "Error",
    text: 'Cannot abandon the mutex at 0 in segment "NAME": no owner died',
  },
  {
    provoke: (name) => Mutex.init(raw(name), 0).withLock(async () => {}),
    error: "TypeError",
    text: "Cannot hold a mutex for an asynchronous function: it would be unlocked at the first await. Use acquireAsync, and unlock after the work",
  },
  {
    provoke: (name) => closedSegmentOf(raw(name), (segment) => Mutex.init(segment, 0)).lock(),
    error: "ClosedError",
    text: 'Cannot use mutex at 0 in segment "NAME": it is closed',
  },
  {
    provoke: (name) => Mutex.at(mutexOfAnotherLibc(raw(name)), 0),
    error: "LayoutError",
    text: "The mutex was made by another libc or for another processor: expected 0x00010001 at offset 68, found 0x70000001",
  },
  {
    provoke: (name) => Condition.init(raw(name), 128, Mutex.init(raw(`${name}2`), 0)).wait(),
    error: "SystemError",
    code: "EPERM",
    text: 'Cannot wait on a condition without the mutex at 0 in segment "NAME2": EPERM, operation not permitted. This handle does not hold it',
  },
  {
    provoke: (name) => Condition.init(raw(name), 128, Mutex.init(raw(`${name}2`), 0)).notifyAll(),
    error: "SystemError",
    code: "EPERM",
    text: 'Cannot notify on a condition without the mutex at 0 in segment "NAME2": EPERM, operation not permitted. This handle does not hold it',
  },
  {
    provoke: (name) => Condition.at(raw(name), 128, Mutex.init(raw(`${name}2`), 0)),
    error: "LayoutError",
    text: "There is no condition here: expected 0x444e4f43 at offset 128, found 0: nobody has made one here",
  },
  {
    provoke: (name) => RwLock.init(raw(name), 0, { readers: 0 }),
    error: "RangeError",
    text: "Cannot make a lock for 0 readers: 1 to 256 are possible",
  },
  {
    provoke: (name) => RwLock.init(raw(name), 0, { readers: 4 }).unlockRead(),
    error: "SystemError",
    code: "EPERM",
    text: 'Cannot unlock the readers-writer lock at 0 in segment "NAME": EPERM, operation not permitted. This handle does not read',
  },
  {
    provoke: (name) => RwLock.init(raw(name), 0, { readers: 4 }).unlockWrite(),
    error: "SystemError",
    code: "EPERM",
    text: 'Cannot unlock the readers-writer lock at 0 in segment "NAME": EPERM, operation not permitted. This handle does not write',
  },
  {
    provoke: (name) => reading(RwLock.init(raw(name), 0, { readers: 4 })).lockWrite(),
    error: "SystemError",
    code: "EDEADLK",
    text: 'Cannot write-lock the readers-writer lock at 0 in segment "NAME": EDEADLK, resource deadlock avoided. This handle reads',
  },
  {
    provoke: (name) => writing(RwLock.init(raw(name), 0, { readers: 4 })).lockRead(),
    error: "SystemError",
    code: "EDEADLK",
    text: 'Cannot read-lock the readers-writer lock at 0 in segment "NAME": EDEADLK, resource deadlock avoided. This handle writes',
  },
  {
    provoke: (name) => RwLock.at(raw(name), 0),
    error: "LayoutError",
    text: "There is no readers-writer lock here: expected 0x4b4c5752 at offset 256, found 0: nobody has made one here",
  },
  {
    provoke: (name) =>
      RwLock.at(
        poked(
          placed(raw(name), (segment) => RwLock.init(segment, 0, { readers: 4 })),
          RW_LOCK_PLACES_OFFSET,
          1 << 30,
        ),
        0,
      ),
    error: "LayoutError",
    text: "The readers-writer lock is corrupt: expected 1 to 256 places at offset 260, found 1073741824",
  },
  {
    provoke: (name) => SharedEvent.init(raw(name), 0, any({})),
    error: "TypeError",
    text: 'Cannot make an event with reset undefined: "auto" or "manual"',
  },
  {
    provoke: (name) => SharedEvent.at(raw(name), 0),
    error: "LayoutError",
    text: "There is no event here: expected 0x544e5645 at offset 0, found 0: nobody has made one here",
  },
  {
    provoke: (name) =>
      SharedEvent.at(
        poked(
          placed(raw(name), (segment) => SharedEvent.init(segment, 0, { reset: "auto" })),
          EVENT_KIND_OFFSET,
          9,
        ),
        0,
      ),
    error: "LayoutError",
    text: "The event is corrupt: expected kind 1 or 2 at offset 4, found 9",
  },
  {
    provoke: (name) => Barrier.init(raw(name), 0, { parties: 0 }),
    error: "RangeError",
    text: "Cannot make a barrier for 0 parties: 1 to 256 are possible",
  },
  {
    provoke: (name) => Barrier.at(raw(name), 0),
    error: "LayoutError",
    text: "There is no barrier here: expected 0x52524142 at offset 256, found 0: nobody has made one here",
  },
  {
    provoke: (name) =>
      Barrier.at(
        poked(
          placed(raw(name), (segment) => Barrier.init(segment, 0, { parties: 3 })),
          BARRIER_PARTIES_OFFSET,
          0,
        ),
        0,
      ),
    error: "LayoutError",
    text: "The barrier is corrupt: expected 1 to 256 parties at offset 260, found 0",
  },
  {
    provoke: (name) => crowded(raw(name)).wait(),
    error: "Error",
    text: 'Cannot wait at the barrier at 0 in segment "NAME": all 1 seats are taken by others',
  },
  {
    provoke: (name) => Lease.at(poked(raw(name), 0, 7), 0),
    error: "LayoutError",
    text: "There is no lease here: expected 0x5341454c at offset 0, found 0x00000007",
  },
  {
    provoke: (name) => Lease.at(raw(name), 0).tryAcquire({ text: "x".repeat(321) }),
    error: "RangeError",
    text: "Cannot acquire a lease with a text of 321 bytes: at most 320",
  },
  {
    provoke: (name) => nameless(name).tryAcquire(),
    error: "SystemError",
    code: "ESTALE",
    text: 'Cannot acquire the lease in "NAME": ESTALE, stale file handle. The name was removed, and may stand for another lease. Open it again',
  },
  {
    provoke: (name) => waitingTwice(raw(name)),
    error: "Error",
    text: 'Cannot wait at the barrier at 0 in segment "NAME": this handle waits already',
  },
];
