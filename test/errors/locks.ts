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
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open mutex at 0 in segment "NAME": it holds only zeros, and nobody is making it: init does',
  },
  {
    provoke: (name) => Mutex.at(raw(name), 64),
    error: "RangeError",
    text: 'Cannot place a mutex in segment "NAME": its offset must be a multiple of 128, not 64',
  },
  {
    provoke: (name) => Mutex.at(raw(name), 8192),
    error: "RangeError",
    text: 'Cannot place a mutex in segment "NAME": its 256 bytes from offset 8192 end beyond the segment\'s 8192',
  },
  {
    provoke: (name) => Mutex.at(raw(name, { access: "read" }), 0),
    error: "TypeError",
    text: 'Cannot place a mutex in segment "NAME": the segment was opened for reading only',
  },
  {
    provoke: (name) => Mutex.init(raw(name), 0).unlock(),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot unlock mutex at 0 in segment "NAME": this handle does not hold it. Lock it first',
  },
  {
    provoke: (name) => {
      const mutex = Mutex.init(raw(name), 0);
      const guard = mutex.acquire();
      mutex.unlock();
      guard.unlock();
    },
    error: "StateError",
    code: "EPERM",
    text: 'Cannot unlock mutex at 0 in segment "NAME": the hold of this guard ended before',
  },
  {
    provoke: (name) => locked(Mutex.init(raw(name), 0)).lock(),
    error: "StateError",
    code: "EDEADLK",
    text: 'Cannot lock mutex at 0 in segment "NAME": this handle holds it already',
  },
  {
    provoke: (name) => locked(Mutex.init(raw(name), 0)).tryLock(),
    error: "StateError",
    code: "EDEADLK",
    text: 'Cannot lock mutex at 0 in segment "NAME": this handle holds it already',
  },
  {
    provoke: (name) => locked(Mutex.init(raw(name), 0)).abandon(),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot abandon mutex at 0 in segment "NAME": no owner died with it. Unlock it instead',
  },
  {
    provoke: (name) => Mutex.init(raw(name), 0).withLock(async () => {}),
    error: "TypeError",
    text: 'Cannot hold mutex at 0 in segment "NAME" for an asynchronous function: it would be unlocked at the first await. Use acquireAsync, and unlock after the work',
  },
  {
    provoke: (name) => closedSegmentOf(raw(name), (segment) => Mutex.init(segment, 0)).lock(),
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use mutex at 0 in segment "NAME": it is closed',
  },
  {
    provoke: (name) =>
      Condition.init(raw(name), 128, { mutex: Mutex.init(raw(`${name}2`), 0) }).wait(),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot wait for condition at 128 in segment "NAME": its mutex is not held here. Lock it first',
  },
  {
    provoke: (name) =>
      Condition.init(raw(name), 128, { mutex: Mutex.init(raw(`${name}2`), 0) }).notifyAll(),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot notify condition at 128 in segment "NAME": its mutex is not held here. Lock it first',
  },
  {
    provoke: (name) => Condition.at(raw(name), 128, { mutex: Mutex.init(raw(`${name}2`), 0) }),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open condition at 128 in segment "NAME": it holds only zeros, and nobody is making it: init does',
  },
  {
    provoke: (name) => RwLock.init(raw(name), 0, { readers: 0 }),
    error: "RangeError",
    text: "Cannot make a readers-writer lock: readers must be an integer from 1 to 256, not 0",
  },
  {
    provoke: (name) => RwLock.init(raw(name), 0, { readers: 4 }).unlockRead(),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot read-unlock readers-writer lock at 0 in segment "NAME": this handle does not read',
  },
  {
    provoke: (name) => RwLock.init(raw(name), 0, { readers: 4 }).unlockWrite(),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot write-unlock readers-writer lock at 0 in segment "NAME": this handle does not write',
  },
  {
    provoke: (name) => reading(RwLock.init(raw(name), 0, { readers: 4 })).lockWrite(),
    error: "StateError",
    code: "EDEADLK",
    text: 'Cannot write-lock readers-writer lock at 0 in segment "NAME": this handle reads, and would wait for itself',
  },
  {
    provoke: (name) => writing(RwLock.init(raw(name), 0, { readers: 4 })).lockRead(),
    error: "StateError",
    code: "EDEADLK",
    text: 'Cannot read-lock readers-writer lock at 0 in segment "NAME": this handle writes, and would wait for itself',
  },
  {
    provoke: (name) => RwLock.at(raw(name), 0),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open readers-writer lock at 0 in segment "NAME": it holds only zeros, and nobody is making it: init does',
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
    code: "ELAYOUT",
    text: 'Cannot open readers-writer lock at 0 in segment "NAME": it is corrupt: expected 1 to 256 readers at offset 260, found 1073741824',
  },
  {
    provoke: (name) => SharedEvent.init(raw(name), 0, any({})),
    error: "TypeError",
    text: 'Cannot make an event: its reset must be "auto" or "manual", not undefined',
  },
  {
    provoke: (name) =>
      closedSegmentOf(raw(name), (segment) =>
        SharedEvent.init(segment, 0, { reset: "auto" }),
      ).set(),
    error: "ClosedError",
    text: 'Cannot use event at 0 in segment "NAME": it is closed',
  },
  {
    provoke: (name) => SharedEvent.at(raw(name), 0),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open event at 0 in segment "NAME": it holds only zeros, and nobody is making it: init does',
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
    code: "ELAYOUT",
    text: 'Cannot open event at 0 in segment "NAME": it is corrupt: expected kind 1 or 2 at offset 4, found 9',
  },
  {
    provoke: (name) => Barrier.init(raw(name), 0, { parties: 0 }),
    error: "RangeError",
    text: "Cannot make a barrier: parties must be an integer from 1 to 256, not 0",
  },
  {
    provoke: (name) => Barrier.at(raw(name), 0),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open barrier at 0 in segment "NAME": it holds only zeros, and nobody is making it: init does',
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
    code: "ELAYOUT",
    text: 'Cannot open barrier at 0 in segment "NAME": it is corrupt: expected 1 to 256 parties at offset 260, found 0',
  },
  {
    provoke: (name) => crowded(raw(name)).wait(),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot wait at barrier at 0 in segment "NAME": other handles have all 1 seats. One of them must close its handle',
  },
  {
    provoke: (name) => Lease.at(poked(raw(name), 0, 7), 0),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open lease at 0 in segment "NAME": there is no lease: expected 0x3241454c at offset 0, found 0x00000007',
  },
  {
    provoke: (name) => Lease.init(raw(name), 0).tryAcquire({ text: "x".repeat(321) }),
    error: "RangeError",
    text: 'Cannot acquire lease at 0 in segment "NAME": its text has 321 bytes of UTF-8, and at most 320 are allowed',
  },
  {
    provoke: (name) => nameless(name).tryAcquire(),
    error: "StateError",
    code: "ESTALE",
    text: 'Cannot acquire lease "NAME": its name was removed, and may stand for another lease. Open it again',
  },
  {
    provoke: (name) => waitingTwice(raw(name)),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot wait at barrier at 0 in segment "NAME": this handle is already waiting',
  },
  {
    provoke: (name) => locked(Mutex.init(raw(name), 0)).close(),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot close mutex at 0 in segment "NAME": it is held. Unlock it first',
  },
  {
    provoke: (name) => reading(RwLock.init(raw(name), 0)).close(),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot close readers-writer lock at 0 in segment "NAME": this handle reads. Call unlockRead first',
  },
  {
    provoke: (name) => {
      const segment = raw(name);
      writing(RwLock.init(segment, 0));
      RwLock.at(segment, 0).lockRead();
    },
    error: "StateError",
    code: "EDEADLK",
    text: 'Cannot lock readers-writer lock at 0 in segment "NAME": this thread writes, or waits to, through another handle',
  },
  {
    provoke: (name) =>
      Mutex.at(
        placed(raw(name), (segment) => RwLock.init(segment, 0)),
        0,
      ),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open mutex at 0 in segment "NAME": it is another structure: expected a mutex at offset 256, found a readers-writer lock',
  },
  {
    provoke: (name) =>
      RwLock.at(
        placed(raw(name), (segment) => RwLock.init(segment, 0)),
        0,
        { readers: 4 },
      ),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open readers-writer lock at 0 in segment "NAME": it has a different number of readers: expected 4 at offset 260, found 16',
  },
  {
    provoke: (name) => Mutex.init(raw(name), 0, { onOwnerDied: async () => {} }),
    error: "TypeError",
    text: "Cannot make a mutex: onOwnerDied must not be asynchronous, since others would see the data before they are repaired",
  },
  {
    provoke: (name) => Condition.init(raw(name), 0, any({ mutex: 5 })),
    error: "TypeError",
    text: "Cannot make a condition: its mutex must be a Mutex, not 5",
  },
  {
    provoke: (name) => {
      const mutex = locked(Mutex.init(raw(`${name}2`), 0));
      return Condition.init(raw(name), 0, { mutex }).waitFor(() => any(Promise.resolve(true)));
    },
    error: "TypeError",
    text: 'Cannot wait for condition at 0 in segment "NAME": its predicate must not return a promise, which would count as a yes',
  },
  {
    provoke: (name) => SharedEvent.open(raw(name, {}, 4).name),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open event "NAME": it holds only zeros, and nobody is making it',
  },
  {
    provoke: (name) => Mutex.open(raw(name, {}, 4).name),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot open mutex "NAME": the segment is too small for one: expected at least 68 bytes at offset 0, found 4',
  },
  {
    provoke: (name) => SharedEvent.openOrCreate(raw(name, {}, 128).name, { reset: "auto" }),
    error: "LayoutError",
    code: "ELAYOUT",
    text: 'Cannot make event "NAME": its segment is too small: expected 256 bytes at offset 0, found 128',
  },
  {
    provoke: (name) => Lease.init(raw(name), 0).tryAcquire({ text: any(5) }),
    error: "TypeError",
    text: 'Cannot acquire lease at 0 in segment "NAME": its text must be a string, not 5',
  },
];
