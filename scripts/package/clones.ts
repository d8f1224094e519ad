/** Clones of the repository, installed by different package managers and policies. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import lock from "../../package-lock.json" with { type: "json" };
import manifest from "../../package.json" with { type: "json" };
import { NPM, ROOT, pathOf } from "./app.ts";
import { check, must, mustRun, run } from "./checks.ts";

/** Copies all files that git tracks, or could track, into a new repository. @returns Its path. */
async function clone(directory: string): Promise<string> {
  const listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const files = (await mustRun(listed, { cwd: ROOT })).split("\0");
  for (const file of files) {
    const source = Bun.file(join(ROOT, file));
    // A removed file stays listed until the next commit.
    if (file !== "" && (await source.exists())) cpSync(join(ROOT, file), join(directory, file));
  }
  await mustRun(["git", "init", "--quiet"], { cwd: directory });
  await mustRun(["git", "add", "--all"], { cwd: directory });
  return directory;
}

/** Runs the README's commands, with only one file of the tests. */
async function use(
  directory: string,
  commands: { install: string[]; run: string[] },
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const options = { cwd: directory, env };
  await mustRun(commands.install, options);
  const demo = await mustRun([...commands.run, "demo"], options);
  must(demo.includes("The demo succeeded."), demo);
  const tested = await mustRun(
    [...commands.run, "test", "--", "./test/struct/struct.test.ts"],
    options,
  );
  must(tested.includes("Ran 1 files."), tested);
  const missed = await run([...commands.run, "test", "--", "nonsense"], options);
  must(missed.exitCode === 1 && missed.stderr.includes("nonsense"), "No test is a success");
  const status = await mustRun(["git", "status", "--porcelain"], options);
  const changed = status.split("\n").filter((line) => line !== "" && !line.startsWith("A "));
  must(changed.length === 0, `Installing leaves ${changed.join(", ")}`);
}

/** Installs clones of the repository as contributors would. */
export async function checkClones(directory: string): Promise<void> {
  await check("every install script of a dependency is decided on", () => {
    const decided = Object.keys(manifest.allowScripts);
    const open = Object.entries(lock.packages)
      .filter(([, entry]) => "hasInstallScript" in entry)
      .map(([path]) => path.replace(/^.*node_modules\//, ""))
      .filter((name) => !decided.includes(name));
    must(open.length === 0, `npm would ask about ${open.join(", ")}`);
  });
  if (NPM !== null) {
    await check("a clone works with npm, without install scripts", async () => {
      const install = [NPM!, "install", "--ignore-scripts", "--prefer-offline"];
      const repository = await clone(join(directory, "clone-npm"));
      await use(repository, { install, run: [NPM!, "run"] }, {});
    });
  }
  await check("a clone works with Bun, without Node", async () => {
    const bun = process.execPath;
    const path = pathOf(join(directory, "path-clone"), { bun });
    const repository = await clone(join(directory, "clone-bun"));
    await use(repository, { install: [bun, "install"], run: [bun, "run"] }, { PATH: path });
  });
}
