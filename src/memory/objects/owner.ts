/**
 * Whose objects are opened. Whoever may make an object can take a name before the one whose name it
 * is, and the owner of an object can change, lock and truncate it whatever its mode is.
 */
import { checkInteger, shown } from "../../arguments.ts";
import { StateError } from "../../errors.ts";

/** Whose object is opened. */
export interface OwnerOptions {
  /**
   * Whose object is opened beside this user's own and root's: that of the user with this number, or
   * "any" user's. Anybody may have taken a name first, so one of another user is refused (EPERM)
   * without it. What a descriptor refers to was handed over, and is not asked for its owner.
   */
  readonly owner?: number | "any" | undefined;
}

type Owner = OwnerOptions["owner"];

/** The greatest number of a user; the one above it stands for none. */
const UID_MAX = 2 ** 32 - 2;
const ROOT = 0;

/** Checks the option itself. @throws TypeError, RangeError. */
export function checkOwnerOption(action: string, { owner }: OwnerOptions): void {
  if (owner === undefined || owner === "any") return;
  if (typeof owner === "number") checkInteger(action, "its owner", owner, 0, UID_MAX);
  else {
    const rule = `its owner must be a user's number or "any", not ${shown(owner)}`;
    throw new TypeError(`${action}: ${rule}`);
  }
}

function ownNumber(): number {
  return process.geteuid?.() ?? ROOT;
}

/** Whether an object of that user's may not be opened. */
export function isStranger(uid: number, owner: Owner): boolean {
  return owner !== "any" && ![ROOT, ownNumber(), owner].includes(uid);
}

/**
 * @param uid Whose the object is.
 * @throws StateError EPERM, as the kernel says of what only an owner may; its EACCES is for modes.
 */
export function refuseStranger(action: string, uid: number, owner: Owner): void {
  if (!isStranger(uid, owner)) return;
  const own = ownNumber();
  const expected = own === ROOT ? "root" : `this user (${own}) or root`;
  const why = `it belongs to user ${uid}, and not to ${expected}`;
  const ways = `{ owner: ${uid} } opens that user's objects too, { owner: "any" } everybody's`;
  throw new StateError("EPERM", `${action}: ${why}. Anybody can take a name first; ${ways}`);
}
