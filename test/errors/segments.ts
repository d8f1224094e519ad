/** Rows of the table of errors: segments. */
import { gzip } from "node:zlib";
import { RingBuffer, Segment, Semaphore, SystemVSemaphore, ftok } from "../../src/index.ts";
import { NEEDS_NO_LIBC } from "../../src/libc/semaphore.ts";
import {
  type ErrorRow,
  empty,
  fifo,
  givenAway,
  huge,
  any,
  closed,
  closedSegmentOf,
  cutOff,
  held,
  key,
  linkTo,
  noSemaphore,
  raw,
  removed,
  scratch,
  semaphore,
  squattedLocks,
  words,
} from "./provoke.ts";

/** What only root can provoke, who alone can give objects away. */
const ROOTS: readonly ErrorRow[] = [
  {
    provoke: (name) => Segment.open(givenAway(name)),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot open segment "NAME": it belongs to user 12345, and not to root. Anybody can take a name first; { owner: 12345 } opens that user\'s objects too, { owner: "any" } everybody\'s',
  },
  {
    provoke: () => squattedLocks().tryLock(0),
    error: "StateError",
    code: "EPERM",
    text: 'Cannot lock anything of segment "sysv:#ID": "/bun-shm.sysv-locks.ID", which carries its locks, belongs to user 12345, and neither to its owner or creator nor to root. That user or root must remove it',
  },
];

/** What no semaphore of glibc looks like. */
const DAMAGED_SEMAPHORES: readonly ErrorRow[] = [
  {
    provoke: (name) => Semaphore.at(raw(name), 64).post(),
    error: "LayoutError",
    text: 'Cannot use semaphore at 64 in segment "NAME": it is not shared between processes: another libc or sem_init with pshared 0 made it, or somebody changed it: expected 128 at offset 72, found 0',
  },
  {
    provoke: (name) => Semaphore.at(words(name, [-2, 0, 128]), 0).tryWait(),
    error: "LayoutError",
    text: 'Cannot use semaphore at 0 in segment "NAME": its value is out of range: expected at most 2147483647 at offset 0, found 4294967294',
  },
];

export const SEGMENTS: readonly ErrorRow[] = [
  ...(process.getuid?.() === 0 ? ROOTS : []),
  {
    provoke: (name) => Segment.open(name, { owner: "root" as never }),
    error: "TypeError",
    text: 'Cannot open segment "NAME": its owner must be a user\'s number or "any", not "root"',
  },
  {
    provoke: (name) => RingBuffer.openOrCreate(name, { owner: -1 }),
    error: "RangeError",
    text: 'Cannot create segment "NAME": its owner must be an integer from 0 to 4294967294, not -1',
  },
  {
    provoke: (name) => Semaphore.open(noSemaphore(name)),
    error: "LayoutError",
    text: 'Cannot open semaphore "NAME": it is no semaphore: expected 32 bytes at offset 0, found 9',
  },
  ...(NEEDS_NO_LIBC ? DAMAGED_SEMAPHORES : []),
  {
    provoke: () => Segment.create("x", { size: 1 }),
    error: "RangeError",
    text: 'Cannot use "x" as a segment name: it must start with "/": try "/x"',
  },
  {
    provoke: () => Segment.create("/sem.jobs", { size: 1 }),
    error: "RangeError",
    text: 'Cannot use "/sem.jobs" as a segment name: it is the file of the semaphore "/jobs": choose another name',
  },
  {
    provoke: () => Segment.create("", { size: 1 }),
    error: "RangeError",
    text: 'Cannot use "" as a segment name: it must start with "/": try "/"',
  },
  {
    provoke: () => Segment.create("/", { size: 1 }),
    error: "RangeError",
    text: 'Cannot use "/" as a segment name: nothing follows the "/"',
  },
  {
    provoke: () => Segment.create("/a/b", { size: 1 }),
    error: "RangeError",
    text: 'Cannot use "/a/b" as a segment name: it must have no "/" but the first',
  },
  {
    provoke: () => Segment.create("/a\0b", { size: 1 }),
    error: "RangeError",
    text: 'Cannot use "/a\\u0000b" as a segment name: it contains a NUL character',
  },
  {
    provoke: () => Segment.create("/..", { size: 1 }),
    error: "RangeError",
    text: 'Cannot use "/.." as a segment name: it names a directory',
  },
  {
    provoke: () => Segment.create(`/${"x".repeat(256)}`, { size: 1 }),
    error: "RangeError",
    text: `Cannot use "/${"x".repeat(79)}…" as a segment name: it is 257 bytes long, and at most 256 are allowed`,
  },
  {
    provoke: () => Segment.create(`/${"x".repeat(31)}`, { size: 1, portable: true }),
    error: "RangeError",
    text: `Cannot use "/${"x".repeat(31)}" as a segment name: it is 32 bytes long, and at most 31 are allowed on every POSIX system`,
  },
  {
    provoke: () => Segment.open(any(undefined)),
    error: "TypeError",
    text: "Cannot use undefined as a segment name: it is not a string",
  },
  {
    provoke: (name) => Segment.open(name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "NAME": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: (name) => Segment.create(name, { size: 0 }),
    error: "RangeError",
    text: 'Cannot create segment "NAME": its size in bytes must be an integer from 1 to 4294967296, not 0',
  },
  {
    provoke: (name) => Segment.create(name, { size: 1, mode: 0o1777 }),
    error: "RangeError",
    text: 'Cannot create segment "NAME": its mode must be from 0 to 0o777, not 0o1777',
  },
  {
    provoke: (name) => Segment.create(name, { size: 1, moed: 0o600 } as never),
    error: "TypeError",
    text: 'Cannot create segment "NAME": there is no option "moed" (did you mean "mode"?); it takes size, mode, reserve, portable, sealed, prefault, hugePages',
  },
  {
    provoke: (name) => Segment.create(name, { size: 1, sealed: any("no") }),
    error: "TypeError",
    text: 'Cannot create segment "NAME": sealed must be true or false, not "no"',
  },
  {
    provoke: (name) => Segment.create(raw(name).name, { size: 1 }),
    error: "SystemError",
    code: "EEXIST",
    text: 'Cannot create segment "NAME": EEXIST, file exists. Use Segment.open or Segment.openOrCreate, or remove it with Segment.unlink',
  },
  {
    provoke: (name) => Segment.open(name, { access: any("write") }),
    error: "TypeError",
    text: 'Cannot open segment "NAME": access must be "readwrite" or "read", not "write"',
  },
  {
    provoke: (name) => Segment.open(name, { offset: 100 }),
    error: "RangeError",
    text: 'Cannot open segment "NAME": offset must be a multiple of the page size, 4096, not 100',
  },
  {
    provoke: (name) => Segment.open(name, { length: 0 }),
    error: "RangeError",
    text: 'Cannot open segment "NAME": length must be an integer from 1 to 4294967296, not 0',
  },
  {
    provoke: (name) => Segment.open(name, { waitMs: -5 }),
    error: "RangeError",
    text: "Cannot wait: waitMs must be a number of 0 or more, not -5",
  },
  {
    provoke: (name) => Segment.open(raw(name).name, { offset: 4096, length: 4097 }),
    error: "RangeError",
    text: 'Cannot map 4097 bytes from offset 4096 of segment "NAME": it has 8192',
  },
  {
    provoke: (name) => Segment.openOrCreate(raw(name).name, { size: 1, truncate: true }),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot truncate segment "NAME": another handle has it open, and cutting it off would end that process (SIGBUS)',
  },
  {
    provoke: (name) => Segment.openOrCreate(raw(name).name, { size: 1 }),
    error: "LayoutError",
    text: 'Cannot open segment "NAME": one of a different size exists (Segment.open accepts it, { truncate: true } discards what it holds): expected 1 bytes at offset 0, found 8192',
  },
  {
    provoke: () => {
      using segment = Segment.create(key(), { size: 64 });
      try {
        Segment.openOrCreate(segment.name, { size: 1, truncate: true });
      } finally {
        segment.unlink();
      }
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot truncate segment "KEY": another handle has it attached',
  },
  {
    provoke: (name) => raw(name, { access: "read" }).resize(9000),
    error: "TypeError",
    text: 'Cannot resize segment "NAME" to 9000 bytes: it was opened for reading only',
  },
  {
    provoke: (name) => raw(name, { length: 4096 }).resize(9000),
    error: "TypeError",
    text: 'Cannot resize segment "NAME" to 9000 bytes: only a part of it is mapped here',
  },
  {
    provoke: (name) => raw(name).resize(4096),
    error: "RangeError",
    text: 'Cannot resize segment "NAME" to 4096 bytes: it has 8192, and shrinking ends any process that touches what is cut off. Pass { force: true } if none does',
  },
  {
    provoke: (name) => raw(name).resize(0),
    error: "RangeError",
    text: 'Cannot resize segment "NAME" to 0 bytes: its size in bytes must be an integer from 1 to 4294967296, not 0',
  },
  {
    provoke: (name) => closed(raw(name)).bytes,
    error: "ClosedError",
    text: 'Cannot use segment "NAME": it is closed',
  },
  {
    provoke: (name) => closed(raw(name)).unlink(),
    error: "ClosedError",
    text: 'Cannot use segment "NAME": it is closed',
  },
  {
    provoke: (name) => closed(raw(name)).tryLock(0),
    error: "ClosedError",
    text: 'Cannot use segment "NAME": it is closed',
  },
  {
    provoke: (name) => closed(raw(name)).resize(1),
    error: "ClosedError",
    text: 'Cannot use segment "NAME": it is closed',
  },
  {
    provoke: (name) => held(raw(name)).close(),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot close segment "NAME": the thing at 0 is held. Release it first',
  },
  {
    provoke: (name) => held(raw(name)).resize(9000),
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot resize segment "NAME": the thing at 0 is held. Release it first',
  },
  {
    provoke: (name) => {
      const segment = raw(name, {}, 1 << 20);
      gzip(segment.bytes, () => undefined);
      segment.resize(1 << 21);
    },
    error: "StateError",
    code: "EBUSY",
    text: 'Cannot resize segment "NAME": an asynchronous operation uses its buffer. Await it first',
  },
  {
    provoke: () => Segment.create("sysv:#5", { size: 1 }),
    error: "TypeError",
    text: 'Cannot create segment "sysv:#ID": the kernel chooses the ids',
  },
  {
    provoke: () => Segment.open("sysv:zero"),
    error: "RangeError",
    text: 'Cannot use "sysv:zero" as a segment name: after "sysv:" comes a key from 1 to 0xffffffff (decimal or hex), "private", or "#" and an id',
  },
  {
    provoke: () => Segment.open("sysv:0x7fffffff"),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "sysv:0x7fffffff": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: () => Segment.open("sysv:#2147483647"),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "sysv:#ID": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: () => scratch(Segment.create("sysv:private", { size: 64 })).resize(128),
    error: "UnsupportedError",
    text: 'Cannot resize segment "sysv:#ID" to 128 bytes: a System V segment can never be resized',
  },
  {
    provoke: () =>
      Segment.open(scratch(Segment.create("sysv:private", { size: 64 })).name, { access: "read" }),
    error: "UnsupportedError",
    text: 'Cannot map segment "sysv:#ID" with access "read": System V memory cannot be mapped as a private copy, and a write would end the process',
  },
  {
    provoke: () => Segment.open("memfd:nobody"),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "memfd:nobody": ENOENT, no such file or directory. A memfd has no name for others: open its `path`, or hand its descriptor to a child',
  },
  {
    provoke: () => Segment.open("fd:x"),
    error: "RangeError",
    text: 'Cannot use "fd:x" as a segment name: a descriptor number must follow "fd:"',
  },
  {
    provoke: () => Segment.open("fd:999"),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "fd:999": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: () => Segment.create("fd:3", { size: 1 }),
    error: "TypeError",
    text: 'Cannot create segment "fd:3": a descriptor can only be opened; create "memfd:LABEL"',
  },
  {
    provoke: () => Segment.create(`memfd:${"x".repeat(250)}`, { size: 1 }),
    error: "RangeError",
    text: `Cannot use "memfd:${"x".repeat(74)}…" as a segment name: its label is 250 bytes long, and 249 are allowed`,
  },
  {
    provoke: () => scratch(Segment.create("memfd:x", { size: 8192 })).resize(4096, { force: true }),
    error: "SystemError",
    code: "EPERM",
    text: 'Cannot resize segment "memfd:x" to 4096 bytes: EPERM, operation not permitted. It is sealed; create it with { sealed: false }',
  },
  {
    provoke: () => scratch(Segment.create("memfd:x", { size: 8192 })).resize(16384),
    error: "SystemError",
    code: "EPERM",
    text: 'Cannot resize segment "memfd:x" to 16384 bytes: EPERM, operation not permitted. It is sealed; create it with { sealed: false }',
  },
  {
    provoke: () => Segment.open("file:"),
    error: "RangeError",
    text: 'Cannot use "file:" as a segment name: a path must follow "file:"',
  },
  {
    provoke: () => Segment.create("file:a\0b", { size: 1 }),
    error: "RangeError",
    text: 'Cannot use "file:a\\u0000b" as a segment name: it contains a NUL character',
  },
  {
    provoke: () => Segment.open("file:/none/such"),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open segment "file:/none/such": ENOENT, no such file or directory. Create it first, or use Segment.openOrCreate',
  },
  {
    provoke: () => Segment.create("file:/none/such", { size: 1 }),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot create segment "file:/none/such": ENOENT, no such file or directory. There is no /none',
  },
  {
    provoke: () => Segment.create("file:/none/such", { size: 1, portable: true }),
    error: "RangeError",
    text: 'Cannot use "file:/none/such" as a segment name: a portable name is a POSIX one, and starts with /',
  },
  {
    provoke: () => ftok("/none", 1),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot make a key of "/none": ENOENT, no such file or directory',
  },
  {
    provoke: () => ftok("/", 0),
    error: "RangeError",
    text: 'Cannot make a key of "/": its id must be an integer from 1 to 255, not 0',
  },
  {
    provoke: () => ftok(any(5), 1),
    error: "TypeError",
    text: "Cannot make a key: its path must be that of a file, not 5",
  },
  {
    provoke: () => Semaphore.open("x"),
    error: "RangeError",
    text: 'Cannot use "x" as a semaphore name: it must start with "/": try "/x"',
  },
  {
    provoke: () => Semaphore.open(any(5)),
    error: "TypeError",
    text: "Cannot use 5 as a semaphore name: it is not a string",
  },
  {
    provoke: (name) => Semaphore.open(name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open semaphore "NAME": ENOENT, no such file or directory. Create it first, or use Semaphore.openOrCreate',
  },
  {
    provoke: (name) => Semaphore.create(name, { value: -1 }),
    error: "RangeError",
    text: 'Cannot create semaphore "NAME": its value must be an integer from 0 to 2147483647, not -1',
  },
  {
    provoke: (name) => Semaphore.create(name, { mode: 0o1777 }),
    error: "RangeError",
    text: 'Cannot create semaphore "NAME": its mode must be from 0 to 0o777, not 0o1777',
  },
  {
    provoke: (name) => Semaphore.openOrCreate(name, { vlaue: 1 } as never),
    error: "TypeError",
    text: 'Cannot create semaphore "NAME": there is no option "vlaue" (did you mean "value"?); it takes value, mode, owner',
  },
  {
    provoke: (name) => Semaphore.create(semaphore(name).name),
    error: "SystemError",
    code: "EEXIST",
    text: 'Cannot create semaphore "NAME": EEXIST, file exists. Use Semaphore.open or Semaphore.openOrCreate, or remove it with Semaphore.unlink',
  },
  {
    provoke: (name) => semaphore(name).post(0),
    error: "RangeError",
    text: 'Cannot post semaphore "NAME": the count must be an integer from 1 to 2147483647, not 0',
  },
  {
    provoke: (name) => semaphore(name, 2 ** 31 - 2).post(3),
    error: "SystemError",
    code: "EOVERFLOW",
    text: 'Cannot post semaphore "NAME": EOVERFLOW, value too large for defined data type. 1 of 3 tokens were added, and its value is the highest possible, 2147483647',
  },
  {
    provoke: (name) => semaphore(name).wait({ timeoutMs: -1 }),
    error: "RangeError",
    text: "Cannot wait: timeoutMs must be a number of 0 or more, not -1",
  },
  {
    provoke: (name) => semaphore(name).wait({ signal: any({}) }),
    error: "TypeError",
    text: 'Cannot wait for semaphore "NAME": signal must be an AbortSignal, not an object',
  },
  {
    provoke: (name) => closed(semaphore(name)).post(),
    error: "ClosedError",
    text: 'Cannot use semaphore "NAME": it is closed',
  },
  {
    provoke: (name) => Semaphore.at(raw(name), 4),
    error: "RangeError",
    text: 'Cannot place a semaphore in segment "NAME": its offset must be a multiple of 8, not 4',
  },
  {
    provoke: (name) => Semaphore.at(raw(name), 8184),
    error: "RangeError",
    text: 'Cannot place a semaphore in segment "NAME": its 32 bytes from offset 8184 end beyond the segment\'s 8192',
  },
  {
    provoke: (name) => Semaphore.at(raw(name, { access: "read" }), 0),
    error: "TypeError",
    text: 'Cannot place a semaphore in segment "NAME": the segment was opened for reading only',
  },
  {
    provoke: () => Semaphore.at(any({}), 0),
    error: "TypeError",
    text: "Cannot place a semaphore in an object: it is not a Segment",
  },
  {
    provoke: (name) => Semaphore.at(closed(raw(name)), 0),
    error: "ClosedError",
    text: 'Cannot use segment "NAME": it is closed',
  },
  {
    provoke: (name) => closedSegmentOf(raw(name), (segment) => Semaphore.init(segment, 0)).post(),
    error: "ClosedError",
    text: 'Cannot use semaphore at 0 in segment "NAME": it is closed',
  },
  {
    provoke: (name) => cutOff(raw(name), (segment) => Semaphore.init(segment, 4096)).post(),
    error: "LayoutError",
    text: 'Cannot use semaphore at 4096 in segment "NAME": its segment was cut off: expected 32 bytes at offset 4096, found the segment\'s end at 4096',
  },
  {
    provoke: () => SystemVSemaphore.open("sysv:0x7fffffff"),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open semaphore "sysv:0x7fffffff": ENOENT, no such file or directory. Create it first, or use SystemVSemaphore.openOrCreate',
  },
  {
    provoke: () => {
      const { name, id } = SystemVSemaphore.create(key());
      try {
        SystemVSemaphore.create(name);
      } finally {
        SystemVSemaphore.unlink(`sysv:#${id}`);
      }
    },
    error: "SystemError",
    code: "EEXIST",
    text: 'Cannot create semaphore "KEY": EEXIST, file exists. Use SystemVSemaphore.open or openOrCreate, or remove it with its unlink',
  },
  {
    provoke: () => SystemVSemaphore.open("/posix"),
    error: "TypeError",
    text: 'Cannot open semaphore "/posix": its name must be "sysv:KEY", "sysv:#ID" or "sysv:private"',
  },
  {
    provoke: () => SystemVSemaphore.create("sysv:#5"),
    error: "TypeError",
    text: 'Cannot create semaphore "sysv:#ID": the kernel chooses the ids',
  },
  {
    provoke: () => SystemVSemaphore.create(key(), { value: 2 ** 20 }),
    error: "RangeError",
    text: 'Cannot create semaphore "KEY": its value must be an integer from 0 to 32767, not 1048576',
  },
  {
    provoke: () => removed(SystemVSemaphore.create(key())).value,
    error: "SystemError",
    code: "EINVAL",
    text: 'Cannot look at semaphore "KEY": EINVAL, invalid argument. Somebody removed it',
  },
  {
    provoke: () => removed(SystemVSemaphore.create(key())).post(),
    error: "SystemError",
    code: "EINVAL",
    text: 'Cannot post semaphore "KEY": EINVAL, invalid argument. Somebody removed it',
  },
  {
    provoke: () => removed(SystemVSemaphore.create(key())).tryWait(),
    error: "SystemError",
    code: "EINVAL",
    text: 'Cannot wait for semaphore "KEY": EINVAL, invalid argument. Somebody removed it',
  },
  {
    provoke: () => removed(SystemVSemaphore.create(key())).post(0),
    error: "RangeError",
    text: 'Cannot post semaphore "KEY": the count must be an integer from 1 to 32767, not 0',
  },
  {
    provoke: () => closed(removed(SystemVSemaphore.create(key()))).post(),
    error: "ClosedError",
    text: 'Cannot use semaphore "KEY": it is closed',
  },
  {
    provoke: (name) => Segment.open(huge(name)),
    error: "RangeError",
    text: 'Cannot map segment "NAME": it has 5368709120 bytes, and one mapping covers at most 4294967296. Open parts of it with offset and length',
  },
  {
    provoke: (name) => Segment.open(fifo(name), { access: "read" }),
    error: "LayoutError",
    text: 'Cannot open segment "NAME": it is not a shared memory object: expected bytes that can be mapped at offset 0, found a FIFO, a socket, a device or a directory',
  },
  {
    provoke: () => Segment.openOrCreate(linkTo("/nowhere/at/all"), { size: 8 }),
    error: "SystemError",
    code: "ELOOP",
    text: 'Cannot open segment "file:LINK": ELOOP, too many levels of symbolic links. It is a symbolic link, which is not followed here: use its target\'s own name',
  },
  {
    provoke: () => Segment.openOrCreate(linkTo(import.meta.path), { size: 8, truncate: true }),
    error: "SystemError",
    code: "ELOOP",
    text: 'Cannot truncate segment "file:LINK": ELOOP, too many levels of symbolic links. It is a symbolic link, which is not followed here: use its target\'s own name',
  },
  {
    provoke: () => Segment.exists(`${linkTo("/")}/${"x".repeat(300)}`),
    error: "SystemError",
    code: "ENAMETOOLONG",
    text: 'Cannot look at segment "file:LINK": ENAMETOOLONG, file name too long',
  },
  {
    provoke: () => Segment.create("memfd:huge", { size: 4096, hugePages: true }),
    error: "RangeError",
    text: 'Cannot create segment "memfd:huge": its size must be a multiple of the huge page\'s, HUGE bytes, not 4096',
  },
  {
    provoke: (name) => Segment.open(empty(name)),
    error: "StateError",
    code: "ENODATA",
    text: 'Cannot open segment "NAME": it is empty, and nobody is giving it a size. Segment.openOrCreate gives it one, and Segment.unlink takes its name away',
  },
  {
    provoke: (name) => closed(Semaphore.init(raw(name), 0)).post(),
    error: "ClosedError",
    text: 'Cannot use semaphore at 0 in segment "NAME": it is closed',
  },
  {
    provoke: () => closed(removed(SystemVSemaphore.create(key()))).value,
    error: "ClosedError",
    text: 'Cannot use semaphore "KEY": it is closed',
  },
  {
    provoke: (name) => raw(name).tryLock(-1),
    error: "RangeError",
    text: 'Cannot lock a byte of segment "NAME": its index must be an integer of at least 0, not -1',
  },
];
