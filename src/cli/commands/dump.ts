import { visibleJson } from "../../arguments.ts";
import { type InspectedField, type InspectedObject, openObject } from "../../index.ts";
import { type Call, type Command, parseBytes } from "../command.ts";
import { EXIT, UsageError } from "../failure.ts";
import { tableLines } from "../format.ts";
import { PIECE_LENGTH, paint, print, printJson, writeAll } from "../output.ts";

const LINE = 16;

/** @returns A line of hex and text, in which bytes that differ from `before` are highlighted. */
function hexLine(bytes: Uint8Array, offset: number, address: number, before?: Uint8Array): string {
  let hex = "";
  let text = "";
  for (let at = 0; at < LINE; at++) {
    const byte = bytes[offset + at];
    if (at === LINE / 2) hex += " ";
    if (byte === undefined) {
      hex += "   ";
      continue;
    }
    const changed = before !== undefined && before[offset + at] !== byte;
    const digits = byte.toString(16).padStart(2, "0");
    const shown = isPrintable(byte) ? String.fromCharCode(byte) : ".";
    hex += ` ${changed ? paint("inverse", digits) : digits}`;
    text += changed ? paint("inverse", shown) : shown;
  }
  return `${paint("dim", address.toString(16).padStart(8, "0"))} ${hex}  |${text}|`;
}

/** Yields the lines of a dump; repeated lines become one "*", as in hexdump. */
function* hexLines(bytes: Uint8Array, start: number): Generator<string> {
  let starred = false;
  for (let offset = 0; offset < bytes.length; offset += LINE) {
    const same = offset > 0 && offset + LINE < bytes.length && isRepeat(bytes, offset);
    if (!same) yield hexLine(bytes, offset, start + offset);
    else if (!starred) yield "*";
    starred = same;
  }
}

function isRepeat(bytes: Uint8Array, offset: number): boolean {
  for (let at = 0; at < LINE; at++) {
    if (bytes[offset + at] !== bytes[offset + at - LINE]) return false;
  }
  return true;
}

function dumpFields(object: InspectedObject, json: boolean): number {
  const { name, kind } = object;
  const fields = object.fields();
  const exit = kind === "raw" ? EXIT.no : EXIT.ok;
  if (json) {
    printJson({ name, kind, fields });
    return exit;
  }
  if (kind === "raw") {
    print("This is raw memory: no known layout starts here");
    return exit;
  }
  const lines = tableLines(fields, [
    { head: "OFFSET", right: true, text: ({ offset }) => String(offset) },
    { head: "FIELD", text: ({ name }) => name, style: () => "cyan" },
    { head: "TYPE", text: ({ type }) => type },
    { head: "VALUE", right: true, text: valueText },
    { head: "MEANING", text: ({ text }) => text },
  ]);
  for (const line of lines) print(line);
  return EXIT.ok;
}

function valueText({ type, value }: InspectedField): string {
  if (value === undefined) return "beyond the end";
  if (typeof value !== "object") return String(value);
  const end = value.findLastIndex((each) => Number(each) !== 0) + 1;
  if (end === 0) return "all 0";
  const isText = type.startsWith("uint8_t") && value.slice(0, end).every(isPrintable);
  if (isText) return JSON.stringify(String.fromCharCode(...value.slice(0, end).map(Number)));
  return value.slice(0, 8).join(" ");
}

function isPrintable(byte: number | bigint): boolean {
  return byte >= 0x20 && byte < 0x7f;
}

/** Bytes that --watch compares at most: it keeps a copy of them. */
const MAX_WATCHED_LENGTH = 2 ** 28;

interface Part {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

async function watchBytes({ name, offset, length }: Part, json: boolean): Promise<number> {
  if (length > MAX_WATCHED_LENGTH) {
    const limit = `--watch compares at most ${MAX_WATCHED_LENGTH}. Give OFFSET and LENGTH`;
    throw new UsageError(`That part has ${length} bytes, and ${limit}`);
  }
  using object = openObject(name);
  let before = object.read(offset, length);
  if (json) printJson({ name, offset, bytes: hexOf(before) }, 0);
  else for (const line of hexLines(before, offset)) print(line);
  for (;;) {
    await Bun.sleep(200);
    const now = object.read(offset, length);
    if (now.length !== before.length && !json) print(`The object has ${object.size} bytes now`);
    for (let at = 0; at < now.length; at += LINE) {
      const line = now.subarray(at, at + LINE);
      if (!line.some((byte, index) => byte !== before[at + index])) continue;
      if (json) printJson({ name, offset: offset + at, bytes: hexOf(line) }, 0);
      else print(hexLine(now, at, offset + at, before));
    }
    before = now;
  }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Yields the bytes of a part piece by piece, until the object ends. */
function* piecesOf(object: InspectedObject, { offset, length }: Part): Generator<Uint8Array> {
  for (let at = 0; at < length; at += PIECE_LENGTH) {
    const bytes = object.read(offset + at, Math.min(PIECE_LENGTH, length - at));
    if (bytes.length === 0) return;
    yield bytes;
  }
}

/** Prints a part as one JSON value, whose text may be longer than memory should be taken for. */
function printPart(object: InspectedObject, part: Part): void {
  const { name, offset } = part;
  const [head, tail] = visibleJson(JSON.stringify({ name, offset, bytes: "" }, null, 2)).split(
    /(?="\n\}$)/,
  ) as [string, string];
  const write = (text: string): void => writeAll(1, Buffer.from(text));
  write(head);
  for (const bytes of piecesOf(object, part)) write(hexOf(bytes));
  write(`${tail}\n`);
}

export const dump: Command = {
  name: "dump",
  summary: "Show an object's bytes in hex and text, or field by field.",
  operands: "NAME [OFFSET [LENGTH]]",
  count: [1, 3],
  completes: "objects",
  options: {
    struct: { text: "Decode the known layout field by field." },
    watch: { text: "Go on, and print each line whose bytes change; Ctrl-C ends it." },
    raw: { text: "Write the bytes as they are." },
  },
  examples: [
    ["bun-shm dump orders 0x80 64", "64 bytes from offset 128"],
    ["bun-shm dump orders --struct", "the header and the counters by name"],
  ],
  run(call: Call): number | Promise<number> {
    const [, from, count] = call.operands;
    const offset = from === undefined ? 0 : parseBytes("OFFSET", from);
    const wanted = count === undefined ? Number.POSITIVE_INFINITY : parseBytes("LENGTH", count);
    using object = openObject(call.object);
    const { size } = object;
    if (call.has("struct")) return dumpFields(object, call.has("json"));
    const length = Math.min(wanted, Math.max(0, size - offset));
    const part = { name: object.name, offset, length };
    if (call.has("watch")) return watchBytes(part, call.has("json"));
    if (call.has("json")) {
      printPart(object, part);
      return EXIT.ok;
    }
    let at = offset;
    for (const bytes of piecesOf(object, part)) {
      if (call.has("raw")) writeAll(1, bytes);
      else print([...hexLines(bytes, at)].join("\n"));
      at += bytes.length;
    }
    return EXIT.ok;
  },
};
