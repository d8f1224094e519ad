/** Values that do not fit into a struct, and the errors for them. */

/** Which part of a value does not fit, and what would fit. */
export interface Misfit {
  /** Which part: `level.price`, `counts[2]`; "" is the value itself. */
  readonly path: string;
  /** The part, as a message shows it. */
  readonly found: string;
  /** What the part must be: "an integer from 0 to 255". */
  readonly rule: string;
  /** RangeError for a value of the right type; TypeError for one of another type. */
  readonly error: typeof RangeError | typeof TypeError;
}

/** @param part A field's name, or `[index]`. @returns The misfit of a part, as one of the whole. */
export function within(part: string, inner: Misfit): Misfit {
  const dot = inner.path === "" || inner.path.startsWith("[") ? "" : ".";
  return { ...inner, path: `${part}${dot}${inner.path}` };
}

/** @returns The error that a write throws. */
export function misfitError({ path, found, rule, error }: Misfit): Error {
  // An element of an array that is written by itself has no field's name; names have no spaces.
  const part = path.startsWith("element ") ? path : `field "${path}"`;
  const target = path === "" ? "a struct" : part;
  return new error(`Cannot write ${found} to ${target}: it must be ${rule}`);
}
