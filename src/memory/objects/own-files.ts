/** Named objects where this package keeps them in files, as on macOS. */
import { constants, mkdirSync } from "node:fs";
import { E } from "../../libc/errno.ts";
import { open, unlink } from "../../libc/fcntl.ts";
import { C } from "../../libc/platform.ts";
import type { NameCalls } from "./object-names.ts";
import { statPath } from "./shared-object.ts";

/**
 * Named objects as files of one directory, which only its user can enter. The objects of macOS take
 * no locks and no mode, can be sized only once, and cannot be mapped privately.
 */
export function fileCalls(directory: string): NameCalls {
  const openFile = (name: string, flags: number, mode: number): number =>
    open(`${directory}${name}`, flags | constants.O_NOFOLLOW, mode);
  return {
    backing: "posix",
    openCall: "open",
    unlinkCall: "unlink",
    open(name, flags, mode) {
      const opened = openFile(name, flags, mode);
      if (opened !== -E.ENOENT || (flags & C.O_CREAT) === 0) return opened;
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return openFile(name, flags, mode);
    },
    unlink: (name) => unlink(`${directory}${name}`),
    stat: (name) => statPath(`${directory}${name}`),
    directoryOf: () => directory,
    roomHint: "Remove what is not needed there",
  };
}
