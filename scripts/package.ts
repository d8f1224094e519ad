/**
 * Packs the package as it would be published, installs it in new apps, and checks it there as users
 * would use it: `bun run package`. Prints the numbers of checks that passed and failed last.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addTypes, makeApp, pack } from "./package/app.ts";
import { check, end } from "./package/checks.ts";
import { checkClones } from "./package/clones.ts";
import { checkContents } from "./package/contents.ts";
import { checkPrograms } from "./package/programs.ts";
import { checkTypes } from "./package/types.ts";

const directory: string = mkdtempSync(join(tmpdir(), "bun-shm-package-"));
const [bare, typed] = [join(directory, "bare"), join(directory, "typed")];
try {
  let tarball = "";
  await check("it is built, packed and installed", async () => {
    tarball = await pack(directory);
    await makeApp(bare, tarball);
    await makeApp(typed, tarball);
    addTypes(typed);
  });
  await checkContents(join(bare, "node_modules/bun-shm"), tarball);
  await Promise.all([checkTypes(bare, typed), checkClones(directory)]);
  await checkPrograms(bare);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
end();
