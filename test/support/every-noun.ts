/** Every noun that has a name, for tests that do the same to all of them. */
import * as api from "../../src/index.ts";
import { Mutex, Segment, codecs, struct } from "../../src/index.ts";

/** A class with a name's calls, as far as all of them are alike. */
export interface NamedNoun {
  create(name: string, options: object): Disposable & { readonly created: boolean };
  open(name: string, options: object): Disposable & { readonly created: boolean };
  openOrCreate(name: string, options: object): Disposable & { readonly created: boolean };
  unlink(name: string): boolean;
}

const Quote = struct({ price: "f64" });
const codec = codecs.utf8;

/** The options without which a noun cannot be made, and those without which it cannot be found. */
const OPTIONS: Readonly<Record<string, () => readonly [make: object, find: object]>> = {
  Segment: () => [{ size: 4096 }, {}],
  PortableSegment: () => [{ size: 64 }, {}],
  RingBuffer: () => [{ capacity: 4096 }, {}],
  Condition: () => {
    const mutex = Mutex.init(Segment.create("memfd:mutex", { size: 4096 }), 0);
    return [{ mutex }, { mutex }];
  },
  SharedEvent: () => [{ reset: "manual" }, {}],
  Barrier: () => [{ parties: 2 }, {}],
  NamedLocks: () => [{ names: 5 }, {}],
  SharedRecord: () => [{ codec: Quote }, { codec: Quote }],
  SharedTable: () => [{ codec: Quote, rows: 10 }, { codec: Quote }],
  SharedMap: () => [{ size: 2 ** 14, codec }, { codec }],
  RateLimiter: () => [{ algorithm: "gcra", limit: 10, windowMs: 1000, keys: 20 }, {}],
  SharedAtomics: () => [{ words: ["paused"] }, {}],
  Meters: () => [{ size: 2 ** 14 }, {}],
};

/** Every exported class that has `openOrCreate`, by its name. */
export const NAMED_NOUNS: ReadonlyMap<string, NamedNoun> = new Map(
  Object.entries(api as Record<string, unknown>).filter(
    (entry): entry is [string, NamedNoun] =>
      typeof (entry[1] as Partial<NamedNoun> | undefined)?.openOrCreate === "function",
  ),
);

/** The options without which the noun cannot be made, and found. */
export function optionsOf(noun: string): readonly [make: object, find: object] {
  return OPTIONS[noun]?.() ?? [{}, {}];
}

/** What comes of opening one, and of opening or making it: "opened", "made" or an error's code. */
export function outcomes(noun: string, name: string, options: object): [string, string] {
  const { open, openOrCreate } = NAMED_NOUNS.get(noun)!;
  const [make, find] = optionsOf(noun);
  const outcome = (call: () => Disposable & { readonly created: boolean }): string => {
    try {
      using handle = call();
      return handle.created ? "made" : "opened";
    } catch (error) {
      return `${(error as Error).name} ${(error as { code?: string }).code}`;
    }
  };
  return [
    outcome(() => open(name, { ...find, ...options })),
    outcome(() => openOrCreate(name, { ...make, ...options })),
  ];
}
