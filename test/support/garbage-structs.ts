/** Structs and codecs, ready to be called. */
import { type ArrayView, Segment, codecs } from "../../src/index.ts";
import { Quote, quote, type Target } from "./garbage-target.ts";

/** Those, by name. */
export function structTargets(): Record<string, () => Target> {
  const view = (): DataView => new DataView(new ArrayBuffer(256));
  const accessor = Quote.at(view());
  const codecTarget = (codec: object, value: unknown, bytes: Uint8Array) => (): Target => ({
    on: codec,
    fresh: false,
    sound: { encode: [value], decode: [bytes] },
    end: () => undefined,
  });
  const memory = Segment.create("memfd:struct", { size: 4096 });
  const levels = (): ArrayView<number> =>
    (Quote.at(memory.view) as { readonly levels: ArrayView<number> }).levels;
  // Properties of an accessor are no methods: those of this object set them.
  const setters = {
    ...Object.fromEntries(
      ["price", "size", "on", "big", "label", "key", "levels", "inner"].map((name) => [
        name,
        (value: unknown) => Object.assign(Quote.at(memory.view), { [name]: value }),
      ]),
    ),
    setLevel: (index: number, value: number) => levels().set(index, value),
    getLevel: (index: number) => levels().get(index),
  };
  return {
    struct: () => ({
      on: Quote,
      segment: memory,
      fresh: false,
      skip: ["cType", "get", "put", "misfit", "cursor"],
      sound: {
        read: [memory.view, 8],
        readInto: [memory.view, 8, {}],
        write: [memory.view, 8, quote()],
        at: [memory.view, 8],
        move: () => [accessor, 8, memory.view],
        toC: ["Quote"],
        encode: [quote()],
        decode: [new Uint8Array(Quote.byteLength)],
      } as never,
      options: { write: ["price", "size", "on", "big", "label", "key", "levels", "inner"] },
      end: () => undefined,
    }),
    accessor: () => ({
      on: setters,
      segment: memory,
      fresh: false,
      sound: { setLevel: [0, 1], getLevel: [0] },
      end: () => undefined,
    }),
    "array accessor": () => ({
      on: levels(),
      segment: memory,
      fresh: false,
      sound: { set: [0, 1], get: [0] },
      end: () => undefined,
    }),
    "codec bytes": codecTarget(codecs.bytes, new Uint8Array(2), new Uint8Array(2)),
    "codec utf8": codecTarget(codecs.utf8, "x", new Uint8Array(2)),
    "codec number": codecTarget(codecs.number, 5, new Uint8Array(8)),
    "codec json": codecTarget(codecs.json(), 5, Buffer.from("5")),
    "codec clone": codecTarget(codecs.clone(), 5, codecs.clone().encode(5)),
    codecs: () => ({ on: codecs, fresh: false, end: () => undefined }),
  };
}
