/** Every command, in the order of the help. */
import type { Command } from "./command.ts";
import { df } from "./commands/df.ts";
import { doctor } from "./commands/doctor.ts";
import { dump } from "./commands/dump.ts";
import { cp, create, prune, resize, restore, rm } from "./commands/life.ts";
import { ls } from "./commands/ls.ts";
import { semGet, semLs, semPost, semWait } from "./commands/sem.ts";
import { stat } from "./commands/stat.ts";

export const COMMANDS: readonly Command[] = [
  ls,
  stat,
  dump,
  rm,
  prune,
  create,
  resize,
  cp,
  restore,
  semLs,
  semGet,
  semPost,
  semWait,
  df,
  doctor,
];
