/** The options that several commands have. */
import type { Call, Option } from "./command.ts";
import type { OwnerOptions } from "../index.ts";
import { UsageError } from "./failure.ts";

export const MODE: Option = { value: "MODE", text: "Permissions in octal; default 600." };
export const FORCE_IN_USE: Option = {
  text: "Also what is in use: users keep the memory and lose the name.",
};
/**
 * Whose objects the command opens: who types a name means what has it, and `stat` says whose it is.
 */
export const ANYBODYS: OwnerOptions = { owner: "any" };
export const COUNT_RECORDS: Option = { value: "N", text: "End after N records." };

/**
 * @returns Whose objects a command with `--create` opens: one that it would have made itself must
 *   not be another user's, who took the name first.
 */
export function ownersOf(call: Call): OwnerOptions {
  return call.has("create") ? {} : ANYBODYS;
}

/** @returns The permission bits of `--mode`, as an option of the library. @throws UsageError. */
export function modeOf(call: Call): { readonly mode?: number } {
  const text = call.text("mode");
  if (text === undefined) return {};
  if (!/^0?[0-7]{3}$/.test(text)) {
    throw new UsageError(`--mode is "${text}", and must be three octal digits, such as 600`);
  }
  return { mode: Number.parseInt(text, 8) };
}
