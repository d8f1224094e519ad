/** Named objects. On Linux and FreeBSD `shm_open` finds them, and they end at the next boot. */
import { close } from "../../libc/fcntl.ts";
import { shmOpen, shmUnlink } from "../../libc/mman.ts";
import { PLATFORM } from "../../libc/platform.ts";
import { LOOK_FLAGS } from "../descriptor.ts";
import { NamedSpace } from "./named-object.ts";
import type { NameCalls } from "./object-names.ts";
import { fileCalls } from "./own-files.ts";
import { type ObjectStat, statDescriptor, statPath } from "./shared-object.ts";

/** Looks at an object as shm_open finds it, which follows no link. */
function stat(name: string): ObjectStat | number {
  if (PLATFORM?.directory !== undefined) return statPath(`${PLATFORM.directory}${name}`);
  const descriptor = shmOpen(name, LOOK_FLAGS, 0);
  if (descriptor < 0) return descriptor;
  try {
    return statDescriptor(descriptor);
  } finally {
    close(descriptor);
  }
}

const SHM_CALLS: NameCalls = {
  backing: "posix",
  openCall: "shm_open",
  unlinkCall: "shm_unlink",
  open: shmOpen,
  unlink: shmUnlink,
  stat,
  directoryOf: () => PLATFORM?.directory,
  roomHint:
    "Remove what is not needed there, mount it larger, or start Docker with a larger " +
    "--shm-size (default 64 MB)",
};

const ownDirectory = PLATFORM?.ownDirectory;

export const posixObjects: NamedSpace = new NamedSpace(
  ownDirectory === undefined ? SHM_CALLS : fileCalls(ownDirectory),
);
