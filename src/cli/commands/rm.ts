import { shown, visible } from "../../arguments.ts";
import { type ObjectUsage, Segment, usage } from "../../index.ts";
import { backingOf } from "../../inspection/inspect.ts";
import type { Call, Command } from "../command.ts";
import { EXIT, Failure, exitOf, textOf } from "../failure.ts";
import { objectName } from "../names.ts";
import { FORCE_IN_USE } from "../options.ts";
import { complain, print, printJson } from "../output.ts";
import { removeSemaphore } from "../semaphores.ts";
import { usersText } from "./ls.ts";

/** What is removed: only what was listed under that name, or asked for by its type. */
interface Wanted {
  readonly name: string;
  readonly type: ObjectUsage["type"];
  readonly object: ObjectUsage | undefined;
}

/** Removes one object. @throws Failure that says why it was not removed. */
function remove({ name, type, object }: Wanted, force: boolean): void {
  if (object !== undefined && object.state === "in use" && !force) {
    const who = usersText(object) || "a live process";
    const hint = "--force removes its name, and they keep the memory";
    throw new Failure(EXIT.busy, `Cannot remove ${shown(name)}: ${who} has it. ${hint}`);
  }
  if (type === "semaphore" ? removeSemaphore(name) : Segment.unlink(name)) return;
  const hint = "`bun-shm ls` lists what there is";
  const what = type === "semaphore" ? "semaphore " : "";
  throw new Failure(EXIT.missing, `Cannot remove ${what}${shown(name)}: there is none. ${hint}`);
}

const isSegmentOf = ({ type }: ObjectUsage): boolean => type === "segment";

export const rm: Command = {
  name: "rm",
  summary: "Remove objects and semaphores by name. What a live process has needs --force.",
  operands: "NAME…",
  count: [1, Number.POSITIVE_INFINITY],
  completes: "objects",
  options: {
    force: { short: "f", ...FORCE_IN_USE },
    sem: { text: "Only semaphores: a segment of the same name stays." },
  },
  examples: [["bun-shm rm orders mq_mutex", "remove a segment and a semaphore"]],
  run(call: Call): number {
    const names = call.operands.map(objectName);
    const sysv = names.some((name) => backingOf(name) === "sysv");
    const all = usage({ sysv, kinds: false });
    let code: number = EXIT.ok;
    const outcomes = names.map((name) => {
      const same = all.filter((object) => object.name === name);
      // Without --sem a segment goes before a semaphore of the same name; with it, no segment goes.
      const isSegment = !call.has("sem") && (same.length === 0 || same.some(isSegmentOf));
      const type = isSegment ? "segment" : "semaphore";
      const object = same.find((each) => each.type === type);
      try {
        remove({ name, type, object }, call.has("force"));
        if (!call.has("json")) print(`Removed ${visible(name)}`);
        return { name, removed: true };
      } catch (error) {
        const text = textOf(error);
        complain(text);
        code = exitOf(error);
        return { name, removed: false, error: text };
      }
    });
    if (call.has("json")) printJson(outcomes);
    return code;
  },
};
