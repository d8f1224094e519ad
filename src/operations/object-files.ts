/** The files that objects are. */
import { type Stats, lstatSync, readdirSync } from "node:fs";
import { pathBytes, pathText } from "../libc/path-bytes.ts";

/** One file in the directory of the objects. */
export interface ObjectFile {
  /** Its name, in which a byte that is not UTF-8 is a lone surrogate. */
  readonly file: string;
  readonly stat: Stats;
}

/** @returns What lies in a directory, in order of name, without what vanishes meanwhile. */
export function filesIn(directory: string): ObjectFile[] {
  const names = readdirSync(pathBytes(directory), { encoding: "buffer" }).map(pathText).sort();
  return names.flatMap((file) => {
    const stat = lstatSync(pathBytes(`${directory}/${file}`), { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ file, stat }];
  });
}
