/** get, set, del and keys: a map's entries. */
import { UnsupportedError } from "../../errors.ts";
import { openReader } from "../../inspection/object-reader.ts";
import { ObjectWords } from "../../inspection/object-words.ts";
import { readMapForms } from "../../inspection/kinds/state.ts";
import { SharedMap } from "../../map/shared-map.ts";
import { type Codec, codecs } from "../../struct/codec.ts";
import { kindOf } from "../channel.ts";
import { type Call, type Command, EXIT, UsageError, parseNumber } from "../command.ts";
import { safeText } from "../format.ts";
import { objectName } from "../names.ts";
import { print, printJson, writeAll } from "../output.ts";

/** The codecs whose values can be written as text, by their ids. */
const KNOWN = {
  bytes: codecs.bytes,
  utf8: codecs.utf8,
  number: codecs.number,
  json: codecs.json(),
} as const;

/** "other": structs, and a program's own codec. Their values are shown as bytes. */
type ValueKind = keyof typeof KNOWN | "other";

interface OpenMap extends Disposable {
  readonly map: SharedMap<unknown, string | Uint8Array>;
  readonly kind: ValueKind;
}

function openMap(typed: string): OpenMap {
  const name = objectName(typed);
  const found = kindOf(name);
  if (found !== "map") throw new UnsupportedError(`Cannot use "${name}" as a map: it is ${found}`);
  using reader = openReader(name);
  const { codec: id, bytesKeys } = readMapForms(new ObjectWords(reader));
  const kind = Object.hasOwn(KNOWN, id) ? (id as keyof typeof KNOWN) : "other";
  const codec = (kind === "other" ? codecs.raw : KNOWN[kind]) as Codec<unknown>;
  const key = (bytesKeys ? codecs.bytes : codecs.utf8) as Codec<string | Uint8Array>;
  const map = SharedMap.open(name, { codec, key });
  return { map, kind, [Symbol.dispose]: () => map.close() };
}

/** A value as text; bytes in hex. */
function textOf(value: unknown, kind: ValueKind): string {
  if (kind === "json") return JSON.stringify(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
}

function valueOf(text: string, kind: ValueKind): unknown {
  if (kind === "utf8") return text;
  if (kind === "bytes") return new TextEncoder().encode(text);
  if (kind === "number") return parseNumber("VALUE", text, Number.NEGATIVE_INFINITY);
  if (kind === "other") {
    throw new UsageError(
      "This map's values are structs, or have a codec of their own: write them from code",
    );
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`VALUE is no JSON, which this map holds: ${(error as Error).message}`);
  }
}

export const get: Command = {
  name: "get",
  summary: "Print the value of a map's key. Exit code 1 when there is none.",
  operands: "NAME KEY",
  count: [2, 2],
  completes: "objects",
  options: { raw: { text: "Write bytes as they are, and not in hex." } },
  examples: [["bun-shm get sessions s1", "the value of s1"]],
  run(call: Call): number {
    const [name, key] = call.operands;
    using opened = openMap(name!);
    const value = opened.map.get(key!);
    const text = value === undefined ? undefined : textOf(value, opened.kind);
    if (call.has("json")) printJson({ key, found: value !== undefined, value: text ?? null });
    else if (value instanceof Uint8Array && call.has("raw")) writeAll(1, value);
    else if (text !== undefined) print(opened.kind === "json" ? text : safeText(text));
    return value === undefined ? EXIT.no : EXIT.ok;
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
    const [name, key, text] = call.operands;
    const seconds = call.number("ttl");
    using opened = openMap(name!);
    const value = valueOf(text!, opened.kind);
    const options = seconds === undefined ? {} : { ttlMs: seconds * 1000 };
    const stored = opened.map.set(key!, value, options);
    if (call.has("json")) printJson({ key, stored });
    return stored ? EXIT.ok : EXIT.no;
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
    const [name, ...keys] = call.operands;
    using opened = openMap(name!);
    const outcomes = keys.map((key) => ({ key, removed: opened.map.delete(key) }));
    if (call.has("json")) printJson(outcomes);
    return outcomes.every(({ removed }) => removed) ? EXIT.ok : EXIT.no;
  },
};

export const keys: Command = {
  name: "keys",
  summary: "List a map's keys, all or those that fit a pattern; with --values, what they hold.",
  operands: "NAME [PATTERN]",
  count: [1, 2],
  completes: "objects",
  options: { values: { text: "Print each value behind its key." } },
  examples: [["bun-shm keys sessions 'user:*' --values", "entries of one kind"]],
  run(call: Call): number {
    const [name, pattern] = call.operands;
    const glob = pattern === undefined ? undefined : new Bun.Glob(pattern);
    using opened = openMap(name!);
    const all: { key: string; value?: string }[] = [];
    for (const [key, value] of opened.map.entries()) {
      const shown = typeof key === "string" ? key : Buffer.from(key).toString("hex");
      if (glob?.match(shown) === false) continue;
      const entry = call.has("values")
        ? { key: shown, value: textOf(value, opened.kind) }
        : { key: shown };
      if (call.has("json")) all.push(entry);
      else print(safeText(Object.values(entry).join("\t")).replaceAll("\\x09", "\t"));
    }
    if (call.has("json")) printJson(all);
    return EXIT.ok;
  },
};
