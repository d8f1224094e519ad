/** Where each kind of name is looked up. */
import { fileObjects } from "./file-object.ts";
import { inheritedObjects, memfdObjects } from "./memfd-object.ts";
import { posixObjects } from "./posix-object.ts";
import type { NameKind, SegmentName } from "./segment-name.ts";
import type { ObjectSpace } from "./shared-object.ts";
import { sysvObjects } from "./sysv-object.ts";

const SPACES: Readonly<Record<NameKind, ObjectSpace>> = {
  posix: posixObjects,
  sysv: sysvObjects,
  memfd: memfdObjects,
  file: fileObjects,
  descriptor: inheritedObjects,
};

/** The objects among which a name is looked up. */
export function spaceOf({ kind }: SegmentName): ObjectSpace {
  return SPACES[kind];
}
