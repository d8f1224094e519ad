/** Ordinary files, mapped shared: their bytes outlive a reboot once they are synced. */
import { dirname, resolve } from "node:path";
import { open, unlink } from "../../libc/fcntl.ts";
import { NamedSpace } from "./named-object.ts";
import { pathOf } from "./segment-name.ts";

export const fileObjects: NamedSpace = new NamedSpace({
  backing: "file",
  openCall: "open",
  unlinkCall: "unlink",
  open: (name, flags, mode) => open(pathOf(name), flags, mode),
  unlink: (name) => unlink(pathOf(name)),
  directoryOf: (name) => dirname(resolve(pathOf(name))),
  roomHint: "Free some, or put the file elsewhere",
});
