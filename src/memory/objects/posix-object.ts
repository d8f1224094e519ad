/** POSIX shared memory objects, which `shm_open` finds; they end at the next boot. */
import { shmOpen, shmUnlink } from "../../libc/mman.ts";
import { PLATFORM } from "../../libc/platform.ts";
import { NamedSpace } from "./named-object.ts";

export const posixObjects: NamedSpace = new NamedSpace({
  backing: "posix",
  openCall: "shm_open",
  unlinkCall: "shm_unlink",
  open: shmOpen,
  unlink: shmUnlink,
  directoryOf: () => PLATFORM?.directory,
  roomHint:
    "Remove what is not needed there, mount it larger, or start Docker with a larger " +
    "--shm-size (default 64 MB)",
});
