/** Why a value does not fit into a struct. */

/** What does not fit, and what would. */
export interface Misfit {
  /** Where in the value: `level.price`, `counts[2]`; "" is the value itself. */
  readonly path: string;
  /** What is there, as a message shows it. */
  readonly found: string;
  /** As in "an integer from 0 to 255". */
  readonly rule: string;
  /** RangeError for a value of the right type. */
  readonly error: typeof RangeError | typeof TypeError;
}

/** The misfit of a part, as one of the whole. @param part A field's name, or `[index]`. */
export function within(part: string, inner: Misfit): Misfit {
  const dot = inner.path === "" || inner.path.startsWith("[") ? "" : ".";
  return { ...inner, path: `${part}${dot}${inner.path}` };
}

/** What a write throws. */
export function misfitError({ path, found, rule, error }: Misfit): Error {
  const target = path === "" ? "a struct" : `${path} of a struct`;
  return new error(`Cannot write ${found} to ${target}: it must be ${rule}`);
}
