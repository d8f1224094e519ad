/** Ordinary files, mapped shared; their bytes survive a reboot once they are synced. */
import { constants } from "node:fs";
import { dirname, resolve } from "node:path";
import { open, unlink } from "../../libc/fcntl.ts";
import { NamedSpace } from "./named-object.ts";
import { statPath } from "./shared-object.ts";

export const fileObjects: NamedSpace = new NamedSpace({
  backing: "file",
  openCall: "open",
  unlinkCall: "unlink",
  // As shm_open does: a link may be planted.
  open: (path, flags, mode) => open(path, flags | constants.O_NOFOLLOW, mode),
  unlink,
  stat: statPath,
  directoryOf: (path) => dirname(resolve(path)),
  roomHint: "Free some, or put the file elsewhere",
});
