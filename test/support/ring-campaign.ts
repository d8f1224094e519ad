/** Kills processes that use a ring under full traffic, and checks what they leave. */
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Segment } from "../../src/segment/segment.ts";
import { load } from "../../src/memory/atomics.ts";
import {
  COUNT,
  FAULTS,
  FIRST,
  LAST,
  LOST,
  RECORD_MIN,
  REPORT_WORDS,
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
/** How many children run or wait for the role, so that no time between kills is spent on starts. */
export const POOL = 4;

/** How many reads or writes come between two looks at the victims. */
const POLLS = 300;

export interface Campaign {
  readonly kind: string;
  readonly victims: "producer" | "consumer";
  readonly kills: number;
  readonly random: Random;
}

export interface CampaignResult {
  readonly kills: number;
  /** Processes that were started. */
  readonly generations: number;
  /** Those that had sent or received a record when they died. */
  readonly worked: number;
  /** Records that this process sent or received. */
  readonly records: number;
  /** Records that the victims had sent for certain, or had received. */
  readonly reported: number;
  /** Records that were reported to readers as lost. */
  readonly lost: number;
}

/** The pool of victims, and which of them is to die next. */
class Victims {
  readonly #roles: Roles;
  readonly #campaign: Campaign;
  readonly #children = new Map<number, Subprocess>();
  readonly #killed: Subprocess[] = [];
  readonly #dying = new Map<number, number>();
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
    // There are no pipes, because their descriptors would be closed at any time in later tests.
    const child = Bun.spawn([BUN, VICTIM, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    this.#children.set(own, child);
  }

  report(generation: number, field: number): number {
    return load(this.#roles.reports, generation * REPORT_WORDS + field);
  }

  /** Those that had sent or received something. */
  get worked(): number[] {
    const all = Array.from({ length: this.generations }, (_, generation) => generation);
    return all.filter((generation) => this.report(generation, COUNT) > 0);
  }

  result(records: number, lost: number): CampaignResult {
    const { kills, generations, worked } = this;
    const reported = worked.reduce((sum, one) => sum + this.report(one, COUNT), 0);
    return { kills, generations, worked: worked.length, records, reported, lost };
  }

  get done(): boolean {
    return this.#killed.length >= this.#campaign.kills;
  }

  /** Those that SIGKILL ended while they worked. */
  get kills(): number {
    return this.#killed.filter(({ signalCode }) => signalCode === "SIGKILL").length;
  }

  /** Kills each victim that has worked for a random time, and starts another one. */
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
      this.#killed.push(child);
      this.#progress = Date.now();
      this.#spawn();
    }
    // This is not a limit on speed: whoever waits for a dead process would wait for ever.
    if (Date.now() - this.#progress > WATCHDOG_MS) throw new Error("Nobody works any more");
  }

  async end(): Promise<void> {
    for (const child of this.#children.values()) child.kill("SIGKILL");
    await Promise.all([...this.#killed, ...this.#children.values()].map(({ exited }) => exited));
    // Bun closes what it holds open for ended children now, and not while later tests count them.
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
  // The writers are dead: their last claims are skipped, and everything committed arrives.
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
  return victims.result(records, lostOf());
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
  const { worked } = victims;
  let lost = 0;
  for (const generation of worked) lost += checkReader(victims, generation, sent);
  if (!roles.kind.keeps) return victims.result(sent, lost);

  // There was one reader at a time, and each began with what the one before had not released. What
  // is released only grows, so it gives their order; how far they had read does not.
  worked.sort((a, b) => victims.report(a, FIRST) - victims.report(b, FIRST));
  let next = 0;
  for (const generation of worked) {
    const first = victims.report(generation, FIRST);
    if (first > next) throw new Error(`Reader ${generation} began with ${first}, not ${next}`);
    next = Math.max(next, victims.report(generation, LAST) + 1);
  }
  // This process reads the rest.
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
  return victims.result(sent, lost);
}

/**
 * Checks a reader's report: it has received or lost each record from its first to its last, other
 * than the one that it was reading when it died. @returns How many it lost.
 */
function checkReader(victims: Victims, generation: number, sent: number): number {
  const report = (field: number): number => victims.report(generation, field);
  const [faults, first, last, count, lost] = [FAULTS, FIRST, LAST, COUNT, LOST].map(report) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const span = last - first + 1;
  const isRight = first >= 0 && last < sent && count <= span && span <= count + lost + 1;
  if (faults === 0 && isRight) return lost;
  throw new Error(
    `Reader ${generation} found ${faults} faults in records ${first} to ${last} of ${sent}; ` +
      `it counted ${count}, and ${lost} lost`,
  );
}
