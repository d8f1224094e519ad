/** What the package contains, and what tools for packages say about it. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import ts from "typescript-5";
import manifest from "../../package.json" with { type: "json" };
import { NPM, ROOT } from "./app.ts";
import { check, must, mustRun, run } from "./checks.ts";

const FOLDERS = /^(dist|src|adapters|include|docs|examples)\//;
const FILES = [
  "package.json",
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
];

function checkFiles(installed: string): void {
  const files = [...new Bun.Glob("**/*").scanSync({ cwd: installed, dot: true })];
  const foreign = files.filter((file) => !FOLDERS.test(file) && !FILES.includes(file));
  must(foreign.length === 0, `It holds ${foreign.join(", ")}`);
  const sources = files.filter((file) => /^dist\/.*(?<!\.d)\.ts$/.test(file));
  must(sources.length === 0, `dist/ holds sources: ${sources.join(", ")}`);
  must(files.includes("dist/index.d.ts"), "It holds no dist/index.d.ts");
}

/** Checks that every map names a source that is in the package too. */
function checkMaps(installed: string): void {
  const maps = [...new Bun.Glob("dist/**/*.map").scanSync(installed)];
  must(maps.length > 0, "There are no maps");
  for (const file of maps) {
    const map = JSON.parse(readFileSync(join(installed, file), "utf8")) as { sources: string[] };
    for (const source of map.sources) {
      const path = normalize(join(dirname(file), source));
      must(
        /^(src|adapters)\//.test(path) && existsSync(join(installed, path)),
        `${file}: no ${path}`,
      );
    }
  }
}

/** The declarations that users import: the package's, and each adapter's. */
const ENTRIES: readonly string[] = Object.values(manifest.exports).flatMap((target) =>
  typeof target === "string" ? [] : [target.types],
);

interface PublicSymbols {
  readonly checker: ts.TypeChecker;
  /** The symbol that an import or export stands for. */
  readonly resolved: (symbol: ts.Symbol) => ts.Symbol;
  readonly exported: ReadonlySet<ts.Symbol>;
}

/** What declaration files export. */
function publicSymbols(entries: readonly string[]): PublicSymbols {
  const { ESNext } = ts.ScriptTarget;
  const program = ts.createProgram(entries, { target: ESNext, types: [], noEmit: true });
  const checker = program.getTypeChecker();
  const resolved = (symbol: ts.Symbol): ts.Symbol =>
    (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
  const exported = entries.flatMap((entry) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!)!;
    return checker.getExportsOfModule(module).map(resolved);
  });
  return { checker, resolved, exported: new Set(exported) };
}

/** Every link of a page to another file leads to one that is in the package too. */
function checkLinks(installed: string): void {
  const dead: string[] = [];
  for (const page of new Bun.Glob("**/*.md").scanSync(installed)) {
    const text = readFileSync(join(installed, page), "utf8");
    for (const [, link] of text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)) {
      if (!existsSync(join(installed, dirname(page), link!))) dead.push(`${page} → ${link}`);
    }
  }
  must(dead.length === 0, `Nothing is there: ${dead.join(", ")}`);
}

/** The parts of the public interface that an editor has nothing to say about. */
function undocumented(entries: readonly string[]): string[] {
  const { checker, exported } = publicSymbols(entries);
  const isSilent = (symbol: ts.Symbol): boolean =>
    symbol.getDocumentationComment(checker).length === 0 &&
    symbol.getJsDocTags(checker).length === 0;
  const callable = ts.SymbolFlags.Method | ts.SymbolFlags.Accessor;
  return [...exported].flatMap((symbol) => {
    const members = [...(symbol.members?.values() ?? []), ...(symbol.exports?.values() ?? [])];
    const isClass = (symbol.flags & ts.SymbolFlags.Class) !== 0;
    // What every class has needs no words.
    const silent = members.filter(
      (member) =>
        isClass &&
        (member.flags & callable) !== 0 &&
        !member.name.startsWith("__@") &&
        isSilent(member),
    );
    return [
      ...(isSilent(symbol) ? [symbol.name] : []),
      ...silent.map((member) => `${symbol.name}.${member.name}`),
    ];
  });
}

/** The name of the declared type that a node refers to, if it does. */
function referred(node: ts.Node): ts.Node | undefined {
  if (ts.isTypeReferenceNode(node)) return node.typeName;
  if (ts.isExpressionWithTypeArguments(node)) return node.expression;
  if (ts.isTypeQueryNode(node)) return node.exprName;
  return ts.isImportTypeNode(node) ? node.qualifier : undefined;
}

/** The package's types that public declarations name, but that users cannot import. */
function hiddenTypes(entries: readonly string[]): string[] {
  const { checker, resolved, exported } = publicSymbols(entries);
  const hidden = new Set<string>();
  for (const symbol of exported) {
    const visit = (node: ts.Node): void => {
      const name = referred(node);
      const found = name === undefined ? undefined : checker.getSymbolAtLocation(name);
      if (found !== undefined) {
        const type = resolved(found);
        const ours = type.declarations?.some((declaration) =>
          declaration.getSourceFile().fileName.startsWith(dirname(entries[0]!)),
        );
        const parameter = (type.flags & ts.SymbolFlags.TypeParameter) !== 0;
        if (ours === true && !parameter && !exported.has(type)) {
          hidden.add(`${symbol.name} names ${type.name}`);
        }
      }
      ts.forEachChild(node, visit);
    };
    symbol.declarations?.forEach(visit);
  }
  return [...hidden];
}

/** Checks the package as it is installed, and as it is packed. */
export async function checkContents(installed: string, tarball: string): Promise<void> {
  const tool = (name: string, ...args: string[]): Promise<string> =>
    mustRun([process.execPath, join(ROOT, "node_modules/.bin", name), ...args], { cwd: ROOT });

  await check("the tarball holds what is needed, and no more", () => checkFiles(installed));
  await check("every map leads to a source", () => checkMaps(installed));
  await check("the README begins with the version of Bun that is needed", () => {
    const [first] = readFileSync(join(installed, "README.md"), "utf8").split("```");
    const sentence = `It needs Bun ${manifest.engines.bun.replace(">=", "")} or newer`;
    must(first!.replaceAll(/\s+/g, " ").includes(sentence), `It does not say: ${sentence}`);
  });
  await check("every link of a page leads to a file", () => checkLinks(installed));
  await check("every type in a public signature is exported", () => {
    const hidden = hiddenTypes(ENTRIES.map((entry) => join(installed, entry)));
    must(hidden.length === 0, hidden.join("\n"));
  });
  await check("an editor explains every name, method and property of a class", () => {
    const silent = undocumented(ENTRIES.map((entry) => join(installed, entry)));
    must(silent.length === 0, `Without a doc comment: ${silent.join(", ")}`);
  });
  if (NPM !== null) {
    await check("npm has nothing to correct when it publishes", async () => {
      const dry = ["publish", "--dry-run", "--offline", "--ignore-scripts"];
      const { exitCode, stderr } = await run([NPM!, ...dry], { cwd: installed });
      must(exitCode === 0 && !stderr.includes("errors corrected"), stderr);
    });
  }
  await check("publint", () => tool("publint", tarball, "--strict"));
  // Only Node's `require` gets CommonJS, which does nothing but throw the refusal.
  const esm = ["--profile", "esm-only", "--ignore-rules", "false-esm"];
  await check("@arethetypeswrong/cli", () => tool("attw", tarball, ...esm));
}
