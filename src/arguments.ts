/**
 * Checks of arguments, which callers in plain JavaScript need: a wrong type is a TypeError, a value
 * out of range is a RangeError, and each message names the value and what is allowed.
 */

/** How many characters of a text a message shows. */
const SHOWN_MAX = 80;

/** What a terminal obeys, reorders or hides, and halves of characters, which are no text. */
const UNSEEN = String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]`;
const UNSEEN_CHARACTER = new RegExp(UNSEEN, "gu");
const UNSEEN_BUT_LINE_END = new RegExp(`(?!\n)${UNSEEN}`, "gu");

/** A value as a message shows it: a text is quoted, and what a terminal would obey is escaped. */
export function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) {
    const tag = tagOf(value);
    return tag === "Object" ? "an object" : `a value of type ${tag}`;
  }
  if (typeof value === "symbol") return "a symbol";
  if (typeof value !== "string") return String(value);
  const text = value.length > SHOWN_MAX ? `${value.slice(0, SHOWN_MAX)}…` : value;
  return visibleJson(JSON.stringify(text));
}

/**
 * JSON in which everything that a terminal obeys, reorders or hides is an escape.
 *
 * @param json What `JSON.stringify` returned; the line ends of its indentation stay.
 */
export function visibleJson(json: string): string {
  return json.replaceAll(UNSEEN_BUT_LINE_END, unicodeEscapes);
}

/**
 * A text of somebody else's (a name, a key, a command line) for one line of a terminal: everything
 * that a terminal obeys, reorders or hides is shown as its bytes in UTF-8, such as `\x1b`.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN_CHARACTER, byteEscapes);
}

/** A text as one word of a shell's command line, which is that text and runs nothing. */
export function shellWord(text: string): string {
  if (text === "") return "''";
  if (visible(text) === text) return text.replaceAll(/[^\w/.,:@+\u0080-\u{10ffff}-]/gu, "\\$&");
  return `$'${text.replaceAll(/[\\']/g, "\\$&").replaceAll(UNSEEN_CHARACTER, byteEscapes)}'`;
}

/** The escapes of JSON for a character: one or two. */
function unicodeEscapes(character: string): string {
  const units = character.split("");
  return units.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

function byteEscapes(character: string): string {
  // Half a surrogate pair has no bytes.
  if (!character.isWellFormed()) return unicodeEscapes(character);
  const bytes = [...new TextEncoder().encode(character)];
  return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

/** The name of an object's class, as the language has it; "Object" for one that does not tell. */
function tagOf(value: object): string {
  try {
    const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
    return /^\w{1,40}$/.test(tag) ? tag : "Object";
  } catch {
    // A revoked proxy, or a tag whose getter throws.
    return "Object";
  }
}

/** A noun with its article, as in "an event"; "atomics" are many, and have none. */
export function one(noun: string): string {
  if (noun.endsWith("s")) return noun;
  return `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
}

/** A word as a message shows it: unsigned, in hexadecimal. */
export function hex(word: number): string {
  return `0x${(word >>> 0).toString(16).padStart(8, "0")}`;
}

/**
 * Checks that an options object is one, and that each of its options is known.
 *
 * @param action The start of the message, as in `Cannot create segment "/x"`.
 * @throws TypeError that names the unknown option, and a known one that is spelled like it.
 */
export function checkOptions(action: string, options: unknown, known: readonly string[]): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${action}: its options must be an object, not ${shown(options)}`);
  }
  // The engine keeps this array for each shape of object: it costs a third of `for (… in …)`, which
  // only an object that inherits options needs.
  const names =
    Object.getPrototypeOf(options) === Object.prototype ? Object.keys(options) : namesIn(options);
  for (let at = 0; at < names.length; at++) {
    if (!known.includes(names[at]!)) checkUnset(action, options, names[at]!, known);
  }
}

/** The names of an object's own properties, and of those that it inherits. */
function namesIn(options: object): string[] {
  const names: string[] = [];
  for (const name in options) names.push(name);
  return names;
}

/** Apart from `checkOptions`, which is short so that it is compiled into its callers. */
function checkUnset(action: string, options: object, name: string, known: readonly string[]): void {
  if ((options as Record<string, unknown>)[name] === undefined) return;
  const near = known.find((other) => isNear(name, other));
  const hint = near === undefined ? "" : ` (did you mean ${shown(near)}?)`;
  const all = known.length === 0 ? "it takes none" : `it takes ${known.join(", ")}`;
  throw new TypeError(`${action}: there is no option ${shown(name)}${hint}; ${all}`);
}

/** Whether two names differ only by case, by an ending, or by a letter or two, as typos do. */
function isNear(name: string, other: string): boolean {
  const [a, b] = [name.toLowerCase(), other.toLowerCase()];
  if (a === b || b.startsWith(a) || a.startsWith(b)) return true;
  // Levenshtein's distance, row by row.
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substituted));
    }
    row = next;
  }
  return row[b.length]! <= 2;
}

/**
 * Checks an integer.
 *
 * @param what Its name in the message, as in `its size`.
 * @returns The integer.
 * @throws TypeError when it is not a number; RangeError when it is not an integer from `least` to
 *   `most`.
 */
export function checkInteger(
  action: string,
  what: string,
  value: unknown,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) {
    return value as number;
  }
  const range =
    most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  const message = `${action}: ${what} must be an integer ${range}, not ${shown(value)}`;
  throw typeof value === "number" ? new RangeError(message) : new TypeError(message);
}

/** Checks that a value is one of a few words. @returns The word. @throws TypeError listing them. */
export function checkOneOf<T extends string>(
  action: string,
  what: string,
  value: unknown,
  words: readonly T[],
): T {
  if (words.includes(value as T)) return value as T;
  const list = words.map((word) => `"${word}"`).join(" or ");
  throw new TypeError(`${action}: ${what} must be ${list}, not ${shown(value)}`);
}

/** Checks a flag. @returns The flag. @throws TypeError. */
export function checkBoolean(action: string, what: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`${action}: ${what} must be true or false, not ${shown(value)}`);
}

/** Checks a callback. @throws TypeError. */
export function checkFunction(action: string, what: string, value: unknown): void {
  if (typeof value === "function") return;
  throw new TypeError(`${action}: ${what} must be a function, not ${shown(value)}`);
}

/** Checks that there is something to iterate over; text and bytes are one. @throws TypeError. */
export function checkIterable(action: string, what: string, value: unknown): void {
  const isOne = typeof value === "string" || ArrayBuffer.isView(value);
  if (!isOne && typeof Object(value)[Symbol.iterator] === "function") return;
  throw new TypeError(`${action}: ${what} must be iterable, as an array is, not ${shown(value)}`);
}

/** Checks that a value is bytes, and still there. @throws TypeError. */
export function checkBytes(
  action: string,
  what: string,
  value: unknown,
): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) {
    throw new TypeError(`${action}: ${what} must be a Uint8Array, not ${shown(value)}`);
  }
  if (value.length === 0 && (value.buffer as ArrayBuffer).detached) {
    throw new TypeError(`${action}: the memory of ${what} was closed or transferred`);
  }
}

/**
 * Checks that text has a UTF-8 of its own. A lone surrogate has none: encoders write U+FFFD in the
 * place of each, so that different texts would become one.
 *
 * @throws RangeError.
 */
export function checkWellFormed(action: string, what: string, text: string): void {
  if (text.isWellFormed()) return;
  const why = "and it has a lone surrogate, for which there is no UTF-8";
  throw new RangeError(`${action}: ${what} must be well-formed text, ${why}: ${shown(text)}`);
}

/** Checks permission bits. @returns The bits. @throws TypeError, RangeError. */
export function checkMode(action: string, mode: unknown): number {
  if (Number.isInteger(mode) && (mode as number) >= 0 && (mode as number) <= 0o777) {
    return mode as number;
  }
  const given = typeof mode === "number" && mode >= 0 ? `0o${mode.toString(8)}` : shown(mode);
  const message = `${action}: its mode must be from 0 to 0o777, not ${given}`;
  throw typeof mode === "number" ? new RangeError(message) : new TypeError(message);
}

/** What constructors are called with that are the package's own: nobody else has it. */
export const INSIDE: unique symbol = Symbol("inside");

/**
 * For constructors that are the package's own, which plain JavaScript can call.
 *
 * @param isInside Whether what came is what the package itself hands over.
 * @param name The class.
 * @throws TypeError that says how one is made.
 */
export function checkInside(isInside: boolean, name: string): void {
  if (isInside) return;
  throw new TypeError(`Cannot call new ${name}: ${name}.create makes one, ${name}.open finds it`);
}

/** Whether a value is a promise, or anything else that `await` would wait for. */
export function isThenable(value: unknown): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { then?: unknown }).then === "function";
}

const ASYNC_FUNCTION: unknown = Object.getPrototypeOf(async () => {});

/** Whether a function is declared `async`: it can be refused without being called. */
export function isAsyncFunction(fn: unknown): boolean {
  return typeof fn === "function" && Object.getPrototypeOf(fn) === ASYNC_FUNCTION;
}

/**
 * Checks a callback that runs while a lock is held, and so must be finished when it returns.
 * @throws TypeError when it is not a function, or is declared `async`.
 */
export function checkSyncFunction(action: string, what: string, fn: unknown): void {
  checkFunction(action, what, fn);
  if (isAsyncFunction(fn)) refuseThenable(action);
}

/** Checks what such a callback returned. @throws TypeError when that is a promise. */
export function checkSyncAnswer(action: string, answer: unknown): void {
  if (isThenable(answer)) refuseThenable(action);
}

function refuseThenable(action: string): never {
  throw new TypeError(
    `${action} with a promise: a lock is held until the callback returns, which must be with the ` +
      "value itself",
  );
}
