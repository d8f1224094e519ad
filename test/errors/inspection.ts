/** Rows of the table of errors: looking into objects, and operations on all of them. */
import {
  activities,
  openAny,
  openObject,
  prometheusText,
  prune,
  registerMetrics,
  usage,
} from "../../src/index.ts";
import { SEGMENT_KINDS, SEGMENT_MAGIC } from "../../src/layout/segment-header.ts";
import { type ErrorRow, any, closed, key, raw, sparse } from "./provoke.ts";

export const INSPECTION: readonly ErrorRow[] = [
  {
    provoke: (name) => openObject(name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open "NAME": ENOENT, no such file or directory. `bun-shm ls` lists what there is',
  },
  {
    provoke: () => openObject(key()),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open "KEY": ENOENT, no such file or directory. `bun-shm ls` lists what there is',
  },
  {
    provoke: () => openObject("sysv:#2147483646"),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open "sysv:#ID": ENOENT, no such file or directory. `bun-shm ls` lists what there is',
  },
  {
    provoke: () => openObject("memfd:x"),
    error: "UnsupportedError",
    code: "ENOTSUP",
    text: 'Cannot look into "memfd:x": a memfd has no name; use /proc/PID/fd/NUMBER of a process that has it open',
  },
  {
    provoke: () => openObject("sysv:private"),
    error: "UnsupportedError",
    code: "ENOTSUP",
    text: 'Cannot look into "sysv:private": each one is new, and has no name but its sysv:#ID',
  },
  {
    provoke: (name) => openAny(name),
    error: "SystemError",
    code: "ENOENT",
    text: 'Cannot open "NAME": ENOENT, no such file or directory. `bun-shm ls` lists what there is',
  },
  {
    provoke: (name) => {
      raw(name);
      return closed(openObject(name)).size;
    },
    error: "ClosedError",
    code: "ECLOSED",
    text: 'Cannot use the look into "NAME": it is closed',
  },
  {
    provoke: (name) => {
      raw(name);
      using object = openObject(name);
      return object.read(-1, 1);
    },
    error: "RangeError",
    text: 'Cannot read "NAME": its offset must be an integer of at least 0, not -1',
  },
  {
    provoke: (name) => {
      raw(name);
      using object = openObject(name);
      return object.read(0, any("1"));
    },
    error: "TypeError",
    text: 'Cannot read "NAME": its length must be an integer of at least 0, not "1"',
  },
  {
    provoke: (name) => {
      raw(name);
      using object = openObject(name);
      return object.peek();
    },
    error: "UnsupportedError",
    code: "ENOTSUP",
    text: 'Cannot look for records in "NAME": it is raw memory, and neither a queue nor a ring with one consumer',
  },
  {
    provoke: (name) => {
      sparse(name, 2 ** 28 + 4096, [SEGMENT_MAGIC, 1, 0, 1, SEGMENT_KINDS.spsc]);
      using object = openObject(name);
      return object.peek();
    },
    error: "UnsupportedError",
    code: "ENOTSUP",
    text: 'Cannot look into ring "NAME": a look copies it, and it has 268439552 bytes, of at most 268435456',
  },
  {
    provoke: () => usage(any({ sysV: true })),
    error: "TypeError",
    text: 'Cannot tell who uses shared memory: there is no option "sysV" (did you mean "sysv"?); it takes sysv, kinds',
  },
  {
    provoke: () => usage(any({ kinds: 1 })),
    error: "TypeError",
    text: "Cannot tell who uses shared memory: kinds must be true or false, not 1",
  },
  {
    provoke: () => prune(any({ dryrun: true })),
    error: "TypeError",
    text: 'Cannot prune: there is no option "dryrun" (did you mean "dryRun"?); it takes dryRun, force, sysv, only',
  },
  {
    provoke: () => prune(any({ dryRun: true, only: "x" })),
    error: "TypeError",
    text: 'Cannot prune: only must be a function, not "x"',
  },
  {
    provoke: () => prune(any({ dryRun: "yes" })),
    error: "TypeError",
    text: 'Cannot prune: dryRun must be true or false, not "yes"',
  },
  {
    provoke: () => activities(any("all")),
    error: "TypeError",
    text: 'Cannot count activity: objects must be an array, not "all"',
  },
  {
    provoke: () => prometheusText(any(7)),
    error: "TypeError",
    text: "Cannot print metrics: they must be an array, not 7",
  },
  {
    provoke: () => registerMetrics(any({})),
    error: "TypeError",
    text: "Cannot register metrics: Gauge of the client must be a function, not undefined",
  },
  {
    provoke: () => prometheusText([any(7)]),
    error: "TypeError",
    text: "Cannot print metrics: each must be one that metrics() answered, not 7",
  },
];
