/** Kills processes that use a ring under full traffic, and checks what is left. */
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Segment } from "../../src/segment/segment.ts";
import { load } from "../../src/memory/atomics.ts";
import {
  COUNT,
  FAULTS,
  FIRST,
  LAST,
  RECORD_MIN,
  type Roles,
  becomeConsumer,
  becomeProducer,
  checkRecord,
  openRoles,
  releaseRoles,
  writeRecord,
} from "../peers/ring-roles.ts";
import { uniqueName } from "./names.ts";
import { BUN, WATCHDOG_MS } from "./process.ts";
import type { Random } from "./random.ts";

const VICTIM = join(import.meta.dir, "../peers/ring-victim.ts");
const CAPACITY = 16384;
/** Children that run or wait for the role, so that starting them costs no time between kills. */
const POOL = 4;

/** Reads or writes between two looks at the victims. */
const POLLS = 300;

export interface Campaign {
  readonly kind: string;
  readonly victims: "producer" | "consumer";
  readonly kills: number;
  readonly random: Random;
}

export interface CampaignResult {
  readonly kills: number;
  /** Records that this process sent or received. */
  readonly records: number;
  readonly lost: number;
}

/** The pool of victims: who is alive, and who is about to die. */
class Victims {
  readonly #roles: Roles;
  readonly #campaign: Campaign;
  readonly #children = new Map<number, Subprocess>();
  readonly #ends: Promise<number>[] = [];
  readonly #dying = new Map<number, number>();
  kills = 0;
  generations = 0;
  #progress = Date.now();

  constructor(roles: Roles, campaign: Campaign) {
    this.#roles = roles;
    this.#campaign = campaign;
    for (let count = 0; count < POOL; count++) this.#spawn();
  }

  #spawn(): void {
    const { segment } = this.#roles;
    const { kind, victims } = this.#campaign;
    const own = this.generations++;
    const args = [segment.name, kind, String(CAPACITY), victims, String(own)];
    // No pipes: their descriptors would be closed at some time during other tests.
    const child = Bun.spawn([BUN, VICTIM, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    this.#children.set(own, child);
  }

  report(generation: number, field: number): number {
    return load(this.#roles.reports, generation * 4 + field);
  }

  get done(): boolean {
    return this.kills >= this.#campaign.kills;
  }

  /** Kills whoever has worked for a random while, and starts another. */
  step(): void {
    const now = performance.now();
    for (const [generation, child] of this.#children) {
      if (child.exitCode !== null) throw new Error(`Victim ${generation} ended by itself`);
      if (this.report(generation, COUNT) === 0) continue;
      const due = this.#dying.get(generation) ?? now + this.#campaign.random() ** 2 * 20;
      this.#dying.set(generation, due);
      if (now < due || this.done) continue;
      child.kill("SIGKILL");
      this.#children.delete(generation);
      this.#ends.push(child.exited);
      this.kills++;
      this.#progress = Date.now();
      this.#spawn();
    }
    // Never a measure of speed: whoever waited for a dead process would wait for ever.
    if (Date.now() - this.#progress > WATCHDOG_MS) throw new Error("Nobody works any more");
  }

  async end(): Promise<void> {
    for (const child of this.#children.values()) child.kill("SIGKILL");
    for (const child of this.#children.values()) this.#ends.push(child.exited);
    await Promise.all(this.#ends);
    // What Bun holds open for ended children goes now, and not while other tests count descriptors.
    this.#children.clear();
    Bun.gc(true);
  }
}

/** Runs one campaign. Throws when a record is lost, torn, doubled, or out of order. */
export async function runCampaign(campaign: Campaign): Promise<CampaignResult> {
  const name = uniqueName("kill");
  const roles = openRoles(name, campaign.kind, CAPACITY);
  try {
    return campaign.victims === "producer"
      ? await killProducers(roles, campaign)
      : await killConsumers(roles, campaign);
  } finally {
    releaseRoles();
    roles.segment.close();
    Segment.unlink(name);
  }
}

async function killProducers(roles: Roles, campaign: Campaign): Promise<CampaignResult> {
  const consumer = becomeConsumer(roles);
  const received = new Map<number, number>();
  const lostOf = (): number => (consumer as { lost?: number }).lost ?? 0;
  let records = 0;
  let lostBefore = 0;
  const handler = (view: DataView, index: number, length: number, type: number): void => {
    const number = checkRecord(view, index, length, type);
    if (number < 0) throw new Error(`A record of writer ${type} is not whole`);
    const expected = received.get(type) ?? 0;
    const gap = lostOf() > lostBefore;
    if (number < expected || (number > expected && !gap)) {
      throw new Error(`Writer ${type}: record ${number} instead of ${expected}`);
    }
    lostBefore = lostOf();
    received.set(type, number + 1);
    records++;
  };
  const victims = new Victims(roles, campaign);
  try {
    while (!victims.done) {
      for (let turn = 0; turn < POLLS; turn++) consumer.read(handler, 1000);
      victims.step();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  } finally {
    await victims.end();
  }
  // The writers are dead. Their last claims are skipped, and all that was committed comes.
  for (let quiet = 0; quiet < 200; quiet++) if (consumer.read(handler, 1000) > 0) quiet = 0;
  let committed = 0;
  for (let generation = 0; generation < victims.generations; generation++) {
    const count = victims.report(generation, COUNT);
    committed += count;
    const got = received.get(generation) ?? 0;
    // It may have died between its commit and its report.
    const isRight = got === count || got === count + 1;
    if (!isRight && lostOf() === 0) {
      throw new Error(`Writer ${generation} committed ${count}, and ${got} came`);
    }
  }
  const surplus = records + lostOf() - committed;
  if (surplus < 0 || surplus > victims.generations) {
    throw new Error(`${committed} committed; ${records} came and ${lostOf()} were lost`);
  }
  return { kills: victims.kills, records, lost: lostOf() };
}

async function killConsumers(roles: Roles, campaign: Campaign): Promise<CampaignResult> {
  const producer = becomeProducer(roles);
  const spread = producer.maxRecordLength - RECORD_MIN;
  const victims = new Victims(roles, campaign);
  let sent = 0;
  const send = (): boolean => {
    const length = RECORD_MIN + ((sent * 7919) % spread);
    if (!writeRecord(producer, 9999, sent, length)) return false;
    sent++;
    return true;
  };
  try {
    while (!victims.done) {
      for (let turn = 0; turn < POLLS; turn++) send();
      victims.step();
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  } finally {
    await victims.end();
  }
  const { kind } = roles;
  const worked = Array.from({ length: victims.generations }, (_, generation) => generation).filter(
    (generation) => victims.report(generation, COUNT) > 0,
  );
  for (const generation of worked) {
    const faults = victims.report(generation, FAULTS);
    if (faults > 0) throw new Error(`Reader ${generation} found ${faults} faults`);
  }
  if (!kind.keeps) return { kills: victims.kills, records: sent, lost: 0 };

  // One reader at a time: each began with what the one before had not given back. What is given
  // back only grows, so that is their order; how far they read is not.
  worked.sort((a, b) => victims.report(a, FIRST) - victims.report(b, FIRST));
  let next = 0;
  for (const generation of worked) {
    const first = victims.report(generation, FIRST);
    if (first > next) throw new Error(`Reader ${generation} began with ${first}, not ${next}`);
    next = Math.max(next, victims.report(generation, LAST) + 1);
  }
  // The rest is read here.
  const consumer = becomeConsumer(roles);
  let expected = -1;
  const handler = (view: DataView, index: number, length: number, type: number): void => {
    const number = checkRecord(view, index, length, type);
    if (expected < 0 ? number > next : number !== expected) {
      throw new Error(`Record ${number} instead of ${expected < 0 ? next : expected}`);
    }
    expected = number + 1;
  };
  while (consumer.read(handler, 1000) > 0);
  const end = expected < 0 ? next : expected;
  if (end !== sent) throw new Error(`${sent} were sent, and the last that came is ${end - 1}`);
  return { kills: victims.kills, records: sent, lost: 0 };
}
