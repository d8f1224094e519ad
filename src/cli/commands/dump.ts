import { type InspectedField, type InspectedObject, openObject } from "../../index.ts";
import { type Call, type Command, parseBytes } from "../command.ts";
import { EXIT } from "../failure.ts";
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
  if (kind === "raw") {
    print("This is raw memory: no known layout starts here");
    return EXIT.no;
  }
  const fields = object.fields();
  if (json) {
    printJson({ name, kind, fields });
    return EXIT.ok;
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

async function watchBytes(name: string, offset: number, length: number): Promise<number> {
  using object = openObject(name);
  let before = object.read(offset, length);
  for (const line of hexLines(before, offset)) print(line);
  for (;;) {
    await Bun.sleep(200);
    const now = object.read(offset, length);
    if (now.length !== before.length) print(`The object has ${object.size} bytes now`);
    for (let at = 0; at < now.length; at += LINE) {
      const changed = now
        .subarray(at, at + LINE)
        .some((byte, index) => byte !== before[at + index]);
      if (changed) print(hexLine(now, at, offset + at, before));
    }
    before = now;
  }
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
    const { name, size } = object;
    if (call.has("struct")) return dumpFields(object, call.has("json"));
    const rest = Math.max(0, size - offset);
    const length = Math.min(wanted, rest);
    if (call.has("watch")) return watchBytes(name, offset, length);
    if (call.has("json")) {
      const bytes = Buffer.from(object.read(offset, length)).toString("hex");
      printJson({ name, offset, bytes });
      return EXIT.ok;
    }
    for (let at = 0; at < length; at += PIECE_LENGTH) {
      const bytes = object.read(offset + at, Math.min(PIECE_LENGTH, length - at));
      if (call.has("raw")) writeAll(1, bytes);
      else if (bytes.length > 0) print([...hexLines(bytes, offset + at)].join("\n"));
      if (bytes.length === 0) break;
    }
    return EXIT.ok;
  },
};
