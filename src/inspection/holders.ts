/** Who holds the locks and the roles of an object. */
import { UNLINK_BYTE } from "../layout/lock-bytes.ts";
import { GRANTED, LOCK_WORD, NUMBER_SHIFT } from "../layout/lock-layout.ts";
import { participantByte } from "../memory/participant-identity.ts";
import { isStopped } from "../memory/processes.ts";
import type { ObjectUser, UserTable } from "../memory/user-table.ts";
import type { Inspector } from "./kinds/kind.ts";
import type { ObjectReader } from "./object-reader.ts";
import type { ObjectWords } from "./object-words.ts";

/** Who holds a lock or a role of an object. */
export interface Holder {
  /** "lock", "writer", "reader 3", "stripe 7", "seat 2", "producer", "holder" … */
  readonly role: string;
  /** The process; undefined when it is dead, or out of this process's sight. */
  readonly pid: number | undefined;
  /** Its command line; "" when `pid` is undefined. */
  readonly command: string;
  /**
   * "running"; "stopped" by a signal or a debugger; "dead": it died holding a lock that nobody has
   * taken since, and the next one repairs; "unknown": it cannot be seen from here, such as a
   * process of another container.
   */
  readonly state: "running" | "stopped" | "dead" | "unknown";
  /** When it took the lease; undefined where nothing notes it. */
  readonly since?: Date;
}

/** What is known of an object and of the processes that have it. */
export interface HolderSight {
  readonly reader: ObjectReader;
  readonly table: UserTable;
}

/** A structure in an object. */
export interface FoundStructure {
  readonly inspector: Inspector;
  /** Counted from the structure's start. */
  readonly words: ObjectWords;
}

/** @returns Who holds the locks and roles of an object with these structures. */
export function holdersOf(sight: HolderSight, structures: readonly FoundStructure[]): Holder[] {
  const roles = new Map<number, string>();
  const holders: Holder[] = [];
  for (const structure of structures) {
    holders.push(...lockHolders(sight, structure));
    const { inspector, words } = structure;
    for (const [byte, role] of inspector.roleBytes ?? []) {
      roles.set(words.base + byte, place(role, words));
    }
  }
  return [...holders, ...byteHolders(sight, roles)];
}

function place(role: string, { base }: ObjectWords): string {
  return base === 0 ? role : `${role} at ${base}`;
}

function found(role: string, user: ObjectUser, since?: Date): Holder {
  const { pid, command } = user;
  const state = isStopped(pid) ? "stopped" : "running";
  return { role, pid, command, state, ...(since === undefined ? {} : { since }) };
}

const lost = (role: string, state: "dead" | "unknown"): Holder => ({
  role,
  pid: undefined,
  command: "",
  state,
});

/** Whoever the words of the locks name, as far as it has begun. */
function* lockHolders(sight: HolderSight, { inspector, words }: FoundStructure): Generator<Holder> {
  let writer = 0;
  for (const { role, offset, isRole = false } of inspector.locks?.(words) ?? []) {
    const word = words.u32(offset + LOCK_WORD * 4);
    const number = word >>> NUMBER_SHIFT;
    // A writer of a readers-writer lock has the places of all readers.
    if (number === 0 || (word & GRANTED) !== 0 || number === writer) continue;
    // The role of a dead one is free, while a lock of a dead one waits for its repair.
    if (isRole && sight.reader.isAlive(number) === false) continue;
    if (role === "writer") writer = number;
    const since = inspector.since?.(words) ?? 0;
    yield holderOf(sight, place(role, words), number, since > 0 ? new Date(since) : undefined);
  }
}

/** The kernel knows who has a participant's number. */
function holderOf(
  { reader, table }: HolderSight,
  role: string,
  number: number,
  since: Date | undefined,
): Holder {
  if (reader.isAlive(number) === false) return lost(role, "dead");
  const [user] = lockersOf(reader, table, Number(participantByte(number)));
  return user === undefined ? lost(role, "unknown") : found(role, user, since);
}

function lockersOf(reader: ObjectReader, table: UserTable, byte: number): ObjectUser[] {
  const key = reader.lockKey();
  const locks = (key === undefined ? undefined : table.locks.get(key)) ?? [];
  const users = (key === undefined ? undefined : table.users.get(key)) ?? [];
  const pids = new Set(
    locks.filter(({ first, last }) => first <= byte && byte <= last).map(({ pid }) => pid),
  );
  return users.filter(({ pid }) => pids.has(pid));
}

function* byteHolders(
  { reader, table }: HolderSight,
  roles: ReadonlyMap<number, string>,
): Generator<Holder> {
  const key = reader.lockKey();
  const bytes = new Set(roles.keys());
  // The bytes from here on are no roles: they say who makes, uses, removes and takes part.
  for (const { first } of (key === undefined ? undefined : table.locks.get(key)) ?? []) {
    if (first < UNLINK_BYTE) bytes.add(first);
  }
  for (const byte of [...bytes].sort((a, b) => a - b)) {
    const role = roles.get(byte) ?? `byte ${byte}`;
    const lockers = lockersOf(reader, table, byte);
    for (const user of lockers) yield found(role, user);
    if (lockers.length === 0 && reader.isLocked(byte) === true) yield lost(role, "unknown");
  }
}
