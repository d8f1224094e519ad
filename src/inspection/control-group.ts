/** The memory that control groups leave to this process. */
import { dirname, join } from "node:path";
import { readText } from "./file-system.ts";

/** A hierarchy of control groups that bounds memory. */
interface Hierarchy {
  /** Where it is mounted. */
  readonly mount: string;
  /** Which of its groups the mount shows as its root. */
  readonly root: string;
  /** The file of a group that holds its limit. */
  readonly file: string;
}

/** @returns The mounted hierarchies: version 2's, and version 1's of the memory controller. */
function hierarchies(): Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of readText("/proc/self/mountinfo")?.split("\n") ?? []) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", mount = ""] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup2") found.push({ mount, root, file: "memory.max" });
    if (type === "cgroup" && options.split(",").includes("memory")) {
      found.push({ mount, root, file: "memory.limit_in_bytes" });
    }
  }
  return found;
}

/** @returns The path of this process's group in a hierarchy. */
function groupIn({ file }: Hierarchy): string | undefined {
  for (const line of readText("/proc/self/cgroup")?.split("\n") ?? []) {
    const [, controllers = "", ...path] = line.split(":");
    const isVersion2 = controllers === "";
    const fits = file === "memory.max" ? isVersion2 : controllers.split(",").includes("memory");
    if (fits) return path.join(":");
  }
  return undefined;
}

/** @returns The directories of a group and of all groups around it that the mount shows. */
function directoriesOf(hierarchy: Hierarchy): string[] {
  const { mount, root } = hierarchy;
  const group = groupIn(hierarchy);
  if (group === undefined) return [];
  const isBelow = root !== "/" && (group === root || group.startsWith(`${root}/`));
  // A container may see a part of the hierarchy as the whole, or its own group as the root.
  let path = isBelow ? group.slice(root.length) || "/" : group;
  const directories = [join(mount, path)];
  while (path !== "/" && path !== ".") {
    path = dirname(path);
    directories.push(join(mount, path));
  }
  return directories;
}

/**
 * @returns The tightest memory limit of this process's control group and of those around it, in
 *   bytes; undefined when there is none.
 */
export function memoryLimit(): number | undefined {
  let least = Number.POSITIVE_INFINITY;
  for (const hierarchy of hierarchies()) {
    for (const directory of directoriesOf(hierarchy)) {
      const text = readText(join(directory, hierarchy.file));
      const limit = text === undefined ? Number.NaN : Number(text);
      // "max" is no number; version 1 says "no limit" by a number near 2^63.
      if (limit < 2 ** 60) least = Math.min(least, limit);
    }
  }
  return Number.isFinite(least) ? least : undefined;
}
