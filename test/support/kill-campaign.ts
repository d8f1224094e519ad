/** Kills and stops processes that use all nouns of a group, and asks what they left. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Segment } from "../../src/index.ts";
import { COUNTS, KillLedger } from "./kill-ledger.ts";
import { KILL_GROUPS, type KillGroupName } from "./kill-nouns.ts";
import { uniqueName } from "./names.ts";
import { BUN, type Child, WATCHDOG_MS } from "./process.ts";
import type { Random } from "./random.ts";

export interface KillCampaign {
  readonly group: KillGroupName;
  readonly kills: number;
  /** How often somebody is stopped for a while. */
  readonly stops: number;
  readonly random: Random;
}

/** How many live at the same time. */
const VICTIMS = 4;
/** A victim has used each noun when it has had as many turns. */
const TURNS = 20;
const LIFE_MS = 10;
const STOP_MS = 20;

/** Runs one. @returns What is wrong, and a summary of the counts. */
export async function runKillCampaign(
  campaign: KillCampaign,
): Promise<{ readonly faults: readonly string[]; readonly summary: string }> {
  const { group, kills, stops, random } = campaign;
  const name = uniqueName(group);
  // The first participant is this process. It judges, and takes no part before, since it must be
  // able to continue whoever it has stopped. The last one sees every death.
  const participants = kills + 2;
  const witness = kills + 1;
  const ledger = new KillLedger(`${name}-ledger`, participants, 0);
  const nouns = new KILL_GROUPS[group](name, ledger, random);
  const directory = mkdtempSync(join(tmpdir(), "bun-shm-test-"));
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dir, "../peers/kill-victim.ts")],
    target: "bun",
    outdir: directory,
  });
  const program = outputs[0]!.path;
  const faults: string[] = [];
  let next = 1;
  let killed = 0;
  let stopped = 0;

  const tell = async (victim: number, child: Child): Promise<void> => {
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    const how = child.signalCode ?? child.exitCode;
    faults.push(`victim ${victim} ended by ${how}: ${stdout}${stderr}`);
  };
  const until = async (child: Child, done: () => boolean): Promise<boolean> => {
    const deadline = Date.now() + WATCHDOG_MS;
    while (!done() && child.exitCode === null && child.signalCode === null) {
      if (Date.now() > deadline) return false;
      await Bun.sleep(1);
    }
    return done();
  };
  const spawn = (victim: number): Child => {
    const args = [group, name, participants, victim].map(String);
    return Bun.spawn([BUN, program, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, BUN_SHM_SEED: String(Math.floor(random() * 2 ** 31)) },
    });
  };
  const kill = async (victim: number, child: Child): Promise<void> => {
    if (child.exitCode === null) {
      ledger.markDead(victim);
      child.kill("SIGKILL");
    }
    await child.exited;
    if (child.signalCode === "SIGKILL") killed++;
    else await tell(victim, child);
  };
  const victimise = async (victim: number): Promise<void> => {
    const child = spawn(victim);
    if (!(await until(child, () => ledger.of(victim, "turns") >= TURNS))) {
      child.kill("SIGKILL");
      await child.exited;
      return tell(victim, child);
    }
    while (stopped < (stops * victim) / kills) {
      stopped++;
      child.kill("SIGSTOP");
      await Bun.sleep(random() * STOP_MS);
      child.kill("SIGCONT");
      await Bun.sleep(random() * LIFE_MS);
    }
    await Bun.sleep(random() ** 2 * LIFE_MS);
    await kill(victim, child);
  };
  const chain = async (): Promise<void> => {
    while (next <= kills && faults.length === 0) await victimise(next++);
  };
  const seeing = spawn(witness);
  await Promise.all(Array.from({ length: VICTIMS }, chain));
  await kill(witness, seeing);
  if (faults.length === 0) {
    if (killed !== kills + 1) faults.push(`${killed} were killed instead of ${kills + 1}`);
    if (stopped < stops) faults.push(`${stopped} were stopped instead of ${stops}`);
    faults.push(...nouns.judge());
  }
  const totals = COUNTS.map((count) => `${ledger.total(count)} ${count}`);
  nouns.unlink();
  ledger.close();
  Segment.unlink(`${name}-ledger`);
  rmSync(directory, { recursive: true });
  return {
    faults,
    summary: `${group}: ${killed} killed, ${stopped} stopped; ${totals.join(", ")}`,
  };
}
