/** The TypeScript examples of the README, the docs and the doc comments, as whole programs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as bunShm from "../../src/index.ts";
import { TEST_PREFIX } from "./names.ts";

export interface Example {
  readonly where: string;
  readonly code: string;
}

const ROOT = join(import.meta.dir, "../..");
const FENCE = /^([ \t]*(?:\* ?)?)```ts\n([\s\S]*?)^[ \t]*(?:\* ?)?```/gm;

function examplesOf(file: string): Example[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(FENCE)].map((match) => ({
    where: `${file}:${text.slice(0, match.index).split("\n").length}`,
    code: match[2]!.replaceAll(/^[ \t]*\* ?/gm, ""),
  }));
}

const files = [
  "README.md",
  ...new Bun.Glob("docs/*.md").scanSync(ROOT),
  ...new Bun.Glob("{src,adapters}/**/*.ts").scanSync(ROOT),
].sort();

/** All of them, in the order of their files. */
export const examples: readonly Example[] = files.flatMap(examplesOf);

const values: readonly string[] = Object.keys(bunShm);
const types: readonly string[] = [
  ...new Set(readFileSync(join(ROOT, "src/index.ts"), "utf8").match(/\b[A-Z]\w*/g)),
].filter((name) => !values.includes(name));

/**
 * A whole program of an example: doc comments leave the import out, and the objects get names
 * of this run, so that two runs at once do not meet.
 */
export function programOf({ code }: Example): string {
  const named = code.replaceAll(/"\/([a-z][\w-]*)"/g, `"/${TEST_PREFIX}$1"`);
  if (named.includes('from "bun-shm"')) return named;
  const used = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(named);
  const names = [...values.filter(used), ...types.filter(used).map((name) => `type ${name}`)];
  return `import { ${names.join(", ")} } from "bun-shm";\n${named}`;
}
