/**
 * Writes docs/LAYOUT.md and include/bun_shm.h from the descriptions in src/layout/. With --check it
 * writes nothing, and exits with 1 when one of the files is stale.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cHeader } from "./layout/c-header.ts";
import { markdown } from "./layout/markdown.ts";
import { CHAPTERS } from "./layout/registry.ts";

const ROOT = join(import.meta.dir, "..");

/** The files' right contents, by their paths in the repository. */
export function generate(): ReadonlyMap<string, string> {
  const template = readFileSync(join(import.meta.dir, "layout/bun_shm.template.h"), "utf8");
  return new Map([
    ["docs/LAYOUT.md", markdown(CHAPTERS)],
    ["include/bun_shm.h", cHeader(template, CHAPTERS)],
  ]);
}

/** The files whose contents are not the right ones. */
export async function stale(): Promise<string[]> {
  const wrong: string[] = [];
  for (const [path, text] of generate()) {
    const file = Bun.file(join(ROOT, path));
    if (!(await file.exists()) || (await file.text()) !== text) wrong.push(path);
  }
  return wrong;
}

if (import.meta.main) {
  const wrong = await stale();
  if (process.argv.includes("--check")) {
    for (const path of wrong) console.error(`${path} is not current: run \`bun run layout\``);
    process.exit(wrong.length === 0 ? 0 : 1);
  }
  for (const path of wrong) writeFileSync(join(ROOT, path), generate().get(path)!);
  console.log(wrong.length === 0 ? "All is current." : `Wrote ${wrong.join(", ")}.`);
}
