/** Ordinary files, mapped shared; their bytes survive a reboot once they are synced. */
import { dirname, resolve } from "node:path";
import { open, unlink } from "../../libc/fcntl.ts";
import { NamedSpace } from "./named-object.ts";
import { linkOwnerOf, statPath } from "./shared-object.ts";

export const fileObjects: NamedSpace = new NamedSpace({
  backing: "file",
  openCall: "open",
  unlinkCall: "unlink",
  open,
  unlink,
  stat: (path) => statPath(path, true),
  linkOwner: linkOwnerOf,
  directoryOf: (path) => dirname(resolve(path)),
  roomHint: "Free some, or put the file elsewhere",
});
