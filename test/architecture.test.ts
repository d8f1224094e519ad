/** Holds the code to the map in docs/ARCHITECTURE.md. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";

const SRC = join(import.meta.dir, "../src");
const files = [...new Bun.Glob("**/*.ts").scanSync(SRC)].sort();
const sources = new Map(files.map((file) => [file, readFileSync(join(SRC, file), "utf8")]));

// Bun.Transpiler.scanImports drops type-only imports; a regular expression sees them all.
const importsOf = (file: string): string[] =>
  [...sources.get(file)!.matchAll(/\bfrom\s+"([^"]+)"|\bimport\s+"([^"]+)"/g)].map(
    (match) => (match[1] ?? match[2])!,
  );

// A file may import from its own layer's folder or one further right.
const RANK: Record<string, number> = {
  index: 0,
  cli: 0,
  nouns: 1,
  ring: 2,
  state: 2,
  waiting: 2,
  inspection: 1.5,
  layout: 3,
  // A layout may use the atomics: a segment's header is published with them.
  memory: 4,
  libc: 5,
  errors: 6,
};

function layerOf(file: string): string {
  const folder = file.split("/")[0]!;
  if (folder !== file) return folder;
  const name = basename(file, ".ts");
  return name === "index" || name === "errors" ? name : "nouns";
}

// The text of a thread's program, which has none of the package's modules.
const PROGRAM = "waiting/semaphore-program.ts";

const localImports = (file: string): string[] =>
  importsOf(file)
    .filter((from) => from.startsWith("."))
    .map((from) => normalize(join(dirname(file), from)));

describe("architecture", () => {
  test("every folder is a layer", () => {
    expect(files.map(layerOf).filter((layer) => RANK[layer] === undefined)).toEqual([]);
  });

  test("imports point to the own layer or one further down", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const own = layerOf(file);
      for (const target of localImports(file)) {
        const other = layerOf(target);
        if (own === "cli" && other === "index") continue;
        if (own !== other && RANK[other]! <= RANK[own]!) wrong.push(`${file} -> ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("ring/ and layout/ know no libc", () => {
    const wrong = files
      .filter((file) => /^(ring|layout)\//.test(file))
      .filter((file) => localImports(file).some((target) => target.startsWith("libc/")));
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

  test("bun:ffi is imported in libc/ alone", () => {
    const wrong = files.filter(
      (file) =>
        !file.startsWith("libc/") && file !== PROGRAM && importsOf(file).includes("bun:ffi"),
    );
    expect(wrong).toEqual([]);
  });

  test("Atomics is used in memory/atomics.ts alone", () => {
    const wrong = files.filter(
      (file) =>
        file !== "memory/atomics.ts" &&
        file !== PROGRAM &&
        /\bAtomics\.\w/.test(sources.get(file)!),
    );
    expect(wrong).toEqual([]);
  });

  test("no default exports, no re-exports but in index.ts", () => {
    const wrong = files.filter((file) => {
      const text = sources.get(file)!;
      if (/^export default/m.test(text)) return true;
      return file !== "index.ts" && /^export (\*|\{[^}]*\}) from/m.test(text);
    });
    expect(wrong).toEqual([]);
  });

  test("nothing outside the package is imported but Bun's own modules", () => {
    const foreign = files.flatMap((file) =>
      importsOf(file).filter((from) => !/^(\.|node:|bun$|bun:)/.test(from)),
    );
    expect(foreign).toEqual([]);
  });

  test("files are kebab-case, at most 300 lines of code, of at most 100 columns", () => {
    const wrong: string[] = [];
    for (const file of files) {
      const lines = sources.get(file)!.split("\n");
      if (!/^[a-z0-9-]+$/.test(basename(file, ".ts"))) wrong.push(`${file}: name`);
      const code = lines.filter((line) => !/^\s*(\/\/|\/?\*|$)/.test(line)).length;
      if (code > 300) wrong.push(`${file}: ${code} lines of code`);
      lines.forEach((line, at) => {
        if (line.length > 100 && !line.includes("http")) wrong.push(`${file}:${at + 1}: too wide`);
      });
    }
    expect(wrong).toEqual([]);
  });
});
