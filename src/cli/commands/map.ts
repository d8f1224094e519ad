/** get, set, del and keys: read and change a map's entries. */
import { visible, visibleJson } from "../../arguments.ts";
import { type AnyObject, type NamedValue, codecs, openAny, openObject } from "../../index.ts";
import { kindText } from "../../inspection/inspect.ts";
import { type Call, type Command, parseNumber } from "../command.ts";
import { EXIT, Failure, UsageError } from "../failure.ts";
import { ANYBODYS } from "../options.ts";
import { print, printJson, writeAll } from "../output.ts";

type OpenMap = Extract<AnyObject, { kind: "map" }>;

/** Opens the map for a call of `use`. @returns What `use` returns. @throws Failure. */
function withMap(call: Call, use: (opened: OpenMap) => number): number {
  const name = call.object;
  const opened = openAny(name, ANYBODYS);
  using _ = opened.handle;
  if (opened.kind === "map") return use(opened);
  const what = kindText(opened.kind);
  throw new Failure(EXIT.failed, `Cannot use "${name}" as a map: it is ${what}`);
}

/** @returns A value as text; bytes in hex, and of a clone only how many bytes it takes. */
function textOf(value: unknown, { codec }: OpenMap): string {
  if (codec === "json") return visibleJson(JSON.stringify(value));
  if (codec === codecs.clone().id && value instanceof Uint8Array) {
    return `clone, ${value.length} bytes`;
  }
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
}

/** @returns What was typed, as a value of the map's codec. @throws UsageError. */
function valueOf(text: string, { codec }: OpenMap): unknown {
  if (codec === "utf8") return text;
  if (codec === "bytes") return new TextEncoder().encode(text);
  if (codec === "number") {
    return parseNumber("VALUE", text, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  }
  if (codec !== "json") {
    const form = codec === "" ? "have no codec" : `are of the codec "${codec}"`;
    throw new UsageError(`This map's values ${form}: write them from a program`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`VALUE is not JSON, which this map holds: ${(error as Error).message}`);
  }
}

/** @returns The words and counters of a set of atomics; undefined for another kind of object. */
function namedValues(name: string): readonly NamedValue[] | undefined {
  using object = openObject(name);
  return object.kind === "atomics" ? object.values() : undefined;
}

function printNamed(named: readonly NamedValue[], key: string, json: boolean): number {
  const found = named.find(({ name }) => name === key);
  if (json) {
    printJson({ key, found: found !== undefined, value: found ? String(found.value) : null });
  } else if (found !== undefined) {
    print(String(found.value));
  }
  return found === undefined ? EXIT.no : EXIT.ok;
}

export const get: Command = {
  name: "get",
  summary:
    "Print the value of a map's key, or of a named word or counter of atomics. Exit code 1 when " +
    "there is none.",
  operands: "NAME KEY",
  count: [2, 2],
  completes: "objects",
  options: { raw: { text: "Write bytes as they are, and not in hex." } },
  examples: [["bun-shm get sessions s1", "the value of s1"]],
  run(call: Call): number {
    const key = call.operands[1]!;
    const named = namedValues(call.object);
    if (named !== undefined) return printNamed(named, key, call.has("json"));
    return withMap(call, (opened) => {
      const value = opened.handle.get(key);
      const text = value === undefined ? undefined : textOf(value, opened);
      if (call.has("json")) printJson({ key, found: value !== undefined, value: text ?? null });
      else if (value instanceof Uint8Array && call.has("raw")) writeAll(1, value);
      else if (text !== undefined) print(visible(text));
      return value === undefined ? EXIT.no : EXIT.ok;
    });
  },
};

export const set: Command = {
  name: "set",
  summary: "Store a value in a map, as the map's type: text, JSON, a number or bytes.",
  operands: "NAME KEY VALUE",
  count: [3, 3],
  completes: "objects",
  options: { ttl: { value: "SECONDS", text: "How long it is valid; default for ever." } },
  examples: [['bun-shm set sessions s1 \'{"user":"ada"}\' --ttl 60', "valid for a minute"]],
  run(call: Call): number {
    const [, key, text] = call.operands as [string, string, string];
    const ttlMs = call.milliseconds("ttl", 0.001);
    return withMap(call, (opened) => {
      const value = valueOf(text, opened);
      const stored = opened.handle.set(key, value, ttlMs === undefined ? {} : { ttlMs });
      if (call.has("json")) printJson({ key, stored });
      return stored ? EXIT.ok : EXIT.no;
    });
  },
};

export const del: Command = {
  name: "del",
  summary: "Remove keys from a map. Exit code 1 when one was not there.",
  operands: "NAME KEY…",
  count: [2, Number.POSITIVE_INFINITY],
  completes: "objects",
  examples: [["bun-shm del sessions s1 s2", "remove two entries"]],
  run(call: Call): number {
    const [, ...wanted] = call.operands;
    return withMap(call, ({ handle }) => {
      const outcomes = wanted.map((key) => ({ key, removed: handle.delete(key) }));
      if (call.has("json")) printJson(outcomes);
      return outcomes.every(({ removed }) => removed) ? EXIT.ok : EXIT.no;
    });
  },
};

export const keys: Command = {
  name: "keys",
  summary:
    "List a map's keys, or the names of atomics: all or those that fit a pattern; with --values, " +
    "what they hold.",
  operands: "NAME [PATTERN]",
  count: [1, 2],
  completes: "objects",
  options: { values: { text: "Print each value behind its key." } },
  examples: [["bun-shm keys sessions 'user:*' --values", "entries of one kind"]],
  run(call: Call): number {
    const [, pattern] = call.operands;
    const glob = pattern === undefined ? undefined : new Bun.Glob(pattern);
    const named = namedValues(call.object);
    if (named !== undefined) {
      const fitting = named.filter(({ name }) => glob?.match(name) !== false);
      const all = fitting.map(({ name, value }) =>
        call.has("values") ? { key: name, value: String(value) } : { key: name },
      );
      if (call.has("json")) printJson(all);
      else for (const each of all) print(Object.values(each).map(visible).join("\t"));
      return EXIT.ok;
    }
    return withMap(call, (opened) => {
      const all: { key: string; value?: string }[] = [];
      for (const [key, value] of opened.handle.entries()) {
        const shown = typeof key === "string" ? key : Buffer.from(key).toString("hex");
        if (glob?.match(shown) === false) continue;
        const entry = call.has("values")
          ? { key: shown, value: textOf(value, opened) }
          : { key: shown };
        if (call.has("json")) all.push(entry);
        else print(Object.values(entry).map(visible).join("\t"));
      }
      if (call.has("json")) printJson(all);
      return EXIT.ok;
    });
  },
};
