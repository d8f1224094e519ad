/** Lets a hostile process change the words of nouns while others use them. */
import { Segment } from "../../src/index.ts";
import { HOSTILE_NOUNS, REPORT_LENGTH, type Range } from "./hostile-nouns.ts";
import { firstLine } from "./kill.ts";
import { uniqueName } from "./names.ts";
import { WATCHDOG_MS, finished, spawnBun } from "./process.ts";

export interface HostileCampaign {
  /** Names of nouns, which each victim uses in turns. */
  readonly kinds: readonly string[];
  /** Which bytes are changed. */
  readonly bytes: "everything" | "locks";
  readonly victims: number;
  readonly milliseconds: number;
  readonly seed: number;
}

const argumentOf = ({ path, offset, byteLength }: Range): string =>
  `${path}:${offset}:${byteLength}`;

/** Runs one. @returns What is wrong, and what the victims counted. */
export async function runHostile(campaign: HostileCampaign): Promise<{
  readonly faults: readonly string[];
  readonly counts: readonly string[];
}> {
  const { kinds, victims, milliseconds, seed } = campaign;
  const targets = kinds.map((kind) => ({
    noun: HOSTILE_NOUNS[kind]!,
    name: uniqueName(kind),
    kind,
  }));
  const reportsName = uniqueName("reports");
  const reports = Segment.create(reportsName, { size: victims * REPORT_LENGTH });
  const made = targets.map(({ noun, name }) => noun.make(name));
  const ranges = targets.flatMap(({ noun, name }) => noun[campaign.bytes](name));
  const scribbler = spawnBun(
    "test/peers/word-scribbler.ts",
    String(seed),
    ...ranges.map(argumentOf),
  );
  const faults: string[] = [];
  const counts: string[] = [];
  const doing = (victim: number): string => {
    const bytes = reports.bytes.subarray(victim * REPORT_LENGTH, (victim + 1) * REPORT_LENGTH);
    return Buffer.from(bytes).toString().split("\0")[0]!;
  };
  const watch = async (victim: number): Promise<void> => {
    const args = [victim, milliseconds, reportsName].map(String);
    const uses = targets.map(({ kind, name }) => `${kind}=${name}`);
    const child = spawnBun("test/peers/hostile-victim.ts", ...args, ...uses);
    try {
      const { exitCode, signal, stdout, stderr } = await finished(
        child,
        milliseconds + WATCHDOG_MS,
      );
      const lines = stdout.split("\n");
      faults.push(...lines.filter((line) => line.startsWith("fault: ")));
      counts.push(...lines.filter((line) => line.endsWith(" refused")));
      if (exitCode === 0) return;
      faults.push(`ended by ${signal ?? exitCode} in ${doing(victim)}: ${stderr.slice(0, 500)}`);
    } catch (error) {
      faults.push(`hung in ${doing(victim)}: ${String(error).slice(0, 500)}`);
    }
  };
  try {
    await firstLine(scribbler);
    await Promise.all(Array.from({ length: victims }, (_, victim) => watch(victim)));
    if (scribbler.exitCode !== null)
      faults.push(`the scribbler ended: ${await scribbler.stderr.text()}`);
  } finally {
    scribbler.kill("SIGKILL");
    await scribbler.exited;
    for (const one of made) one.close();
  }
  for (const { noun, name, kind } of targets) {
    try {
      await useAgain(noun, name);
    } catch (error) {
      faults.push(`${kind}, made again: ${String((error as Error).stack)}`);
    }
    noun.unlink(name);
  }
  reports.close();
  Segment.unlink(reportsName);
  return { faults, counts };
}

/** What was made again works as if nothing had happened. */
async function useAgain(noun: (typeof HOSTILE_NOUNS)[string], name: string): Promise<void> {
  const made = noun.make(name);
  const use = noun.use(name, 0);
  for (const call of Object.values(use.blocking)) call();
  for (const call of Object.values(use.waiting)) await call();
  use.close();
  made.close();
}
