/** Every command, in the order of the help. */
import type { Command } from "./command.ts";
import { bench } from "./commands/bench.ts";
import { completion } from "./commands/completion.ts";
import { cp } from "./commands/cp.ts";
import { create } from "./commands/create.ts";
import { df } from "./commands/df.ts";
import { doctor } from "./commands/doctor.ts";
import { dump } from "./commands/dump.ts";
import { cat, tail } from "./commands/look.ts";
import { ls } from "./commands/ls.ts";
import { del, get, keys, set } from "./commands/map.ts";
import { metrics } from "./commands/metrics.ts";
import { recv, send } from "./commands/pipe.ts";
import { prune } from "./commands/prune.ts";
import { resize } from "./commands/resize.ts";
import { restore } from "./commands/restore.ts";
import { rm } from "./commands/rm.ts";
import { semGet, semLs, semPost, semWait } from "./commands/sem.ts";
import { stat } from "./commands/stat.ts";
import { top } from "./commands/top.ts";
import { watch } from "./commands/watch.ts";

export const COMMANDS: readonly Command[] = [
  ls,
  stat,
  dump,
  cat,
  tail,
  send,
  recv,
  get,
  set,
  del,
  keys,
  top,
  watch,
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
  metrics,
  bench,
  completion,
];
