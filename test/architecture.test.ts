/** Holds the code to the map in docs/ARCHITECTURE.md. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";

const ROOT = join(import.meta.dir, "..");
const SRC = join(ROOT, "src");
const files = [...new Bun.Glob("**/*.ts").scanSync(SRC)].sort();
const sources = new Map(files.map((file) => [file, readFileSync(join(SRC, file), "utf8")]));

/** The adapters for other people's packages, and what they share: names of files, and texts. */
const adapters = [...new Bun.Glob("*").scanSync(join(ROOT, "adapters"))]
  .sort()
  .map((file) => [file, readFileSync(join(ROOT, "adapters", file), "utf8")] as const);

// Bun.Transpiler.scanImports drops type-only imports; a regular expression sees them all.
const importsOf = (file: string): string[] =>
  [...sources.get(file)!.matchAll(/\bfrom\s+"([^"]+)"|\bimport\s+"([^"]+)"/g)].map(
    (match) => (match[1] ?? match[2])!,
  );

/** The storeys, from the top: a file imports from its own or from one further down. */
const STOREYS: readonly (readonly string[])[] = [
  ["index", "cli"],
  ["operations"],
  ["inspection"],
  ["queue", "ring", "locks", "record", "table", "map", "atomics", "limiter", "meters"],
  ["semaphore", "struct"],
  ["segment"],
  // To make an object is to wait for others that make it too: these stand above `waiting`.
  ["memory/objects"],
  ["waiting"],
  ["layout"],
  // A layout may use the atomics: a segment's header is published with them.
  ["memory"],
  ["libc"],
  ["errors", "arguments"],
];

/** Which subjects a subject of its own storey stands on; all others keep to themselves. */
const STANDS_ON: Readonly<Record<string, readonly string[]>> = {
  record: ["locks"],
  map: ["locks"],
  limiter: ["locks"],
  meters: ["locks", "atomics"],
  table: ["locks"],
  ring: ["locks"],
  queue: ["locks"],
  arguments: ["errors"],
};

function storeyOf(file: string): string {
  if (file.startsWith("memory/objects/")) return "memory/objects";
  const folder = file.split("/")[0]!;
  return folder === file ? basename(file, ".ts") : folder;
}

// The text of a thread's program, which has none of the package's modules.
const PROGRAM = "waiting/thread-program.ts";

const rankOf = (storey: string): number => STOREYS.findIndex((names) => names.includes(storey));

const localImports = (file: string): string[] =>
  importsOf(file)
    .filter((from) => from.startsWith("."))
    .map((from) => normalize(join(dirname(file), from)));

/** Lines of a file that are wider than prose and code may be; tables and links cannot be wrapped. */
function tooWide(path: string, text: string): string[] {
  const wrong: string[] = [];
  const markdown = path.endsWith(".md");
  for (const [at, line] of text.split("\n").entries()) {
    if (line.length <= 100 || line.includes("http")) continue;
    if (markdown && /^\s*\||^\s*!?\[/.test(line)) continue;
    wrong.push(`${path}:${at + 1}: ${line.length} columns`);
  }
  return wrong;
}

describe("architecture", () => {
  test("every folder is a storey", () => {
    expect(files.filter((file) => rankOf(storeyOf(file)) < 0)).toEqual([]);
  });

  test("imports point to the own storey or one further down", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const own = storeyOf(file);
      for (const target of localImports(file)) {
        const other = storeyOf(target);
        if (own === other || rankOf(other) > rankOf(own)) continue;
        if (own === "cli" && other === "index") continue;
        if (rankOf(other) === rankOf(own) && STANDS_ON[own]?.includes(other) === true) continue;
        wrong.push(`${file} -> ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("the command uses what users have, the facade of the inspection, and how a text is shown", () => {
    const wrong: string[] = [];
    for (const file of files.filter((each) => each.startsWith("cli/"))) {
      for (const target of localImports(file)) {
        if (/^cli\/|^(index|arguments|inspection\/inspect)\.ts$/.test(target)) continue;
        wrong.push(`${file} -> ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("an adapter uses what users have, what adapters share, and the package that it is for", () => {
    const wrong = adapters.flatMap(([file, text]) =>
      [...text.matchAll(/^(?!\s*\*).*(?:\bfrom|\bimport)\s+"([^"]+)"/gm)]
        .map((match) => match[1]!)
        .filter((from) => !["../src/index.ts", "./checks.ts", basename(file, ".ts")].includes(from))
        .map((from) => `${file} -> ${from}`),
    );
    expect(adapters.length).toBeGreaterThan(6);
    expect(wrong).toEqual([]);
  });

  test("each adapter is exported under the name of its package, an optional peer", () => {
    const { exports, peerDependencies, peerDependenciesMeta } = JSON.parse(
      readFileSync(join(ROOT, "package.json"), "utf8"),
    ) as Record<string, Record<string, unknown>>;
    for (const [file] of adapters.filter(([each]) => each !== "checks.ts")) {
      const name = basename(file, ".ts");
      expect(Object(exports![`./${name}`])).toMatchObject({
        types: `./dist/adapters/${name}.d.ts`,
        bun: `./dist/adapters/${name}.js`,
      });
      expect(peerDependencies).toHaveProperty([name]);
      expect(peerDependenciesMeta![name]).toEqual({ optional: true });
    }
  });

  test("algorithms and layouts know no libc and no segment", () => {
    const wrong = files
      .filter((file) => /^layout\/|\/algorithm\//.test(file))
      .filter((file) =>
        localImports(file).some((target) => /^(libc|segment|waiting)\//.test(target)),
      );
    expect(wrong).toEqual([]);
  });

  test("there are no cycles", () => {
    const done = new Set<string>();
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) throw new Error(`Cycle: ${[...path, file].join(" -> ")}`);
      if (done.has(file)) return;
      for (const target of localImports(file)) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(done.size).toBe(files.length);
  });

  test("bun:ffi is imported in libc/ only", () => {
    const wrong = files.filter(
      (file) =>
        !file.startsWith("libc/") && file !== PROGRAM && importsOf(file).includes("bun:ffi"),
    );
    expect(wrong).toEqual([]);
  });

  test("Atomics is used in memory/atomics.ts only", () => {
    const wrong = files.filter(
      (file) =>
        file !== "memory/atomics.ts" &&
        file !== PROGRAM &&
        /\bAtomics\.\w/.test(sources.get(file)!),
    );
    expect(wrong).toEqual([]);
  });

  test("no default exports, no re-exports but in index.ts", () => {
    const wrong = [...sources, ...adapters].filter(([file, text]) => {
      if (/^export default/m.test(text)) return true;
      return file !== "index.ts" && /^export (\*|(type )?\{[^}]*\}) from/m.test(text);
    });
    expect(wrong).toEqual([]);
  });

  test("no value is exported that nothing else uses", () => {
    // The layouts are also what the generator of docs/LAYOUT.md and the C header reads.
    const generator = [...new Bun.Glob("scripts/layout/*.ts").scanSync(ROOT)]
      .map((path) => readFileSync(join(ROOT, path), "utf8"))
      .join("\n");
    const users = new Map<string, string[]>();
    for (const file of files) {
      for (const target of localImports(file)) {
        users.set(target, [...(users.get(target) ?? []), sources.get(file)!]);
      }
    }
    const unused: string[] = [];
    for (const file of files) {
      const texts = users.get(file) ?? [];
      if (file.startsWith("layout/")) texts.push(generator);
      const declared = sources
        .get(file)!
        .matchAll(/^export (?:abstract )?(?:async )?(?:const|function\*?|class) (\w+)/gm);
      for (const [, name] of declared) {
        const word = new RegExp(`\\b${name!}\\b`);
        if (!texts.some((text) => word.test(text))) unused.push(`${file}: ${name!}`);
      }
    }
    // The walker of interleavings calls it.
    expect(unused).toEqual(["memory/atomics.ts: loadByAtomics"]);
  });

  test("nothing outside the package is imported but Bun's own modules", () => {
    const foreign = files.flatMap((file) =>
      importsOf(file).filter((from) => !/^(\.|node:|bun$|bun:)/.test(from)),
    );
    expect(foreign).toEqual([]);
  });

  test("files are kebab-case, at most 300 lines of code, of at most 100 columns", () => {
    const wrong: string[] = [];
    for (const [file, text] of [...sources, ...adapters]) {
      if (!/^[a-z0-9-]+$/.test(basename(file, ".ts"))) wrong.push(`${file}: name`);
      const code = text.split("\n").filter((line) => !/^\s*(\/\/|\/?\*|$)/.test(line)).length;
      if (code > 300) wrong.push(`${file}: ${code} lines of code`);
      wrong.push(...tooWide(file, text));
    }
    expect(wrong).toEqual([]);
  });

  test("Markdown is wrapped at 100 columns", () => {
    const pages = ["*.md", "docs/**/*.md", "examples/*.md"].flatMap((pattern) => [
      ...new Bun.Glob(pattern).scanSync(ROOT),
    ]);
    const wrong = pages.flatMap((page) => tooWide(page, readFileSync(join(ROOT, page), "utf8")));
    expect(pages.length).toBeGreaterThan(0);
    expect(wrong).toEqual([]);
  });
});
