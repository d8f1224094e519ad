/** Every command, in the order of the help. */
import type { Command } from "./command.ts";
import { ls } from "./commands/ls.ts";

export const COMMANDS: readonly Command[] = [ls];
