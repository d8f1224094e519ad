/** Fields that a struct has, and the memory that was made before it had them has not. */
import { shown } from "../arguments.ts";
import type { Member } from "./access.ts";
import type { FieldKind } from "./field.ts";

/** The defaults of a struct's last fields. */
export interface Defaults {
  /** The index of the first field that has one; as many as there are fields when none has. */
  readonly first: number;
  /** As long as the struct, with each default in its field's place. */
  readonly view: DataView;
}

/**
 * Checks defaults, and keeps them as bytes, which no caller can change.
 * @throws TypeError, RangeError that name the field.
 */
export function encodeDefaults(
  members: readonly Member[],
  byteLength: number,
  given: unknown = {},
): Defaults {
  const view = new DataView(new ArrayBuffer(byteLength));
  const action = "Cannot make a struct";
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError(`${action}: its defaults must be { field: value, … }, not ${shown(given)}`);
  }
  const values = { ...given } as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(values)) {
    if (members.some((member) => member.name === name)) continue;
    throw new TypeError(`${action}: there is no field ${shown(name)} to have a default`);
  }
  let first = members.length;
  for (const [at, { name, offset, kind }] of members.entries()) {
    if (!Object.hasOwn(values, name)) {
      if (first === members.length) continue;
      const why = "a field before it has one, and only the last fields can be missing somewhere";
      throw new TypeError(`${action}: field "${name}" needs a default, since ${why}`);
    }
    if (at === 0) throw new TypeError(`${action}: its first field "${name}" cannot have a default`);
    first = Math.min(first, at);
    const value = kind.take?.(values[name]) ?? values[name];
    const misfit = kind.misfit(value);
    if (misfit !== undefined) {
      const { path, found, rule, error } = misfit;
      const part = path === "" ? "" : ` (${path})`;
      throw new error(`${action}: the default of "${name}"${part} must be ${rule}, not ${found}`);
    }
    kind.put(view, offset, value);
  }
  return { first, view };
}

/**
 * @param defaults Has the field's default in the field's place.
 * @returns The member for memory that does not hold it: it reads as its default, and takes no other
 *   value.
 */
export function absentMember({ name, offset, kind }: Member, defaults: DataView): Member {
  const { byteLength, cursor } = kind;
  const copy = (): DataView =>
    new DataView(defaults.buffer.slice(offset, offset + byteLength) as ArrayBuffer);
  const isDefault = (value: unknown): boolean => {
    const trial = new DataView(new ArrayBuffer(byteLength));
    kind.put(trial, 0, value);
    return Buffer.from(trial.buffer).equals(Buffer.from(defaults.buffer, offset, byteLength));
  };
  const why = "since what it is written to was made before the struct had this field";
  const value = kind.get(defaults, offset);
  const rule = `its default${typeof value === "object" ? "" : ` ${shown(value)}`}, ${why}`;
  const absent: FieldKind<unknown> = {
    ...kind,
    get: () => kind.get(defaults, offset),
    put() {},
    misfit(value) {
      const misfit = kind.misfit(value);
      if (misfit !== undefined || isDefault(value)) return misfit;
      return { path: "", found: shown(value), rule, error: RangeError };
    },
    ...(cursor !== undefined && { cursor: () => cursor(copy()) }),
    isAbsent: true,
  };
  const { code: _, ...unscalar } = absent;
  return { name, offset, kind: unscalar };
}
