/**
 * The protocol of the readers-writer lock as a model: one step for each access to shared memory,
 * every interleaving of three actors (of four in the soak form), kills at any two steps. It holds the protocol
 * to its claims, as the kill tests hold the code.
 */
import { expect, test } from "bun:test";
import { FREE, WANTED, WRITING } from "../../src/layout/rw-lock-layout.ts";
import { SOAK } from "../support/kill.ts";
import { explore } from "./explore.ts";

const PLACES = 2;
const NOBODY = -1;
const DEAD_OWNER = -2;

interface Actor {
  role: "reader" | "writer";
  at: string;
  taken: number;
  place: number;
}

interface State {
  actors: Actor[];
  writers: number;
  places: number[];
  state: number;
  unrepaired: boolean;
  /** One half of the data was written and the other was not. */
  torn: boolean;
  kills: number;
}

interface Variant {
  readonly repairs: boolean;
  /** Leaves out R2, to see that the model notices. */
  readonly skipCheck?: boolean;
  /** Lets readers that wait never look for a dead writer. */
  readonly skipRecovery?: boolean;
}

const free = (owner: number): boolean => owner < 0;

/** What one actor can do; undefined: it has to wait. */
function step(old: State, me: number, variant: Variant): State | undefined {
  const s = structuredClone(old);
  const actor = s.actors[me]!;
  const go = (at: string): State => {
    actor.at = at;
    return s;
  };
  const alive = (at: string): number =>
    s.actors.filter((other, who) => who !== me && other.at === at).length;
  switch (actor.at) {
    case "R1":
      for (let place = 0; place < PLACES; place++) {
        if (!free(s.places[place]!)) continue;
        s.places[place] = me;
        actor.place = place;
        return go(variant.skipCheck ? "reading" : "R2");
      }
      return undefined;
    case "R2":
      if (variant.repairs && s.unrepaired) return go("give back");
      return go(s.state === FREE ? "reading" : "give back");
    case "reading":
      if (alive("write 1") + alive("write 2") > 0) throw new Error("a reader beside a writer");
      if (s.torn && (variant.repairs || !s.unrepaired)) throw new Error("a torn read");
      return go("R3");
    case "R3":
      s.places[actor.place] = NOBODY;
      return go("done");
    case "give back":
      s.places[actor.place] = NOBODY;
      return go(variant.skipRecovery ? "R1" : "look");
    case "look":
      if (s.state === FREE && !(variant.repairs && s.unrepaired)) return go("R1");
      if (!free(s.writers)) return go("R1");
      s.writers = me;
      return go("recover");
    case "recover":
      if (variant.repairs && (s.state === WRITING || s.unrepaired)) return go("W2");
      if (s.state === WRITING) s.unrepaired = true;
      return go("W5 state");
    case "W1":
      if (!free(s.writers)) return undefined;
      s.writers = me;
      return go("W2");
    case "W2":
      if (s.state !== WRITING) s.state = WANTED;
      return go("W3");
    case "W3":
      if (actor.taken === PLACES) return go("inherit");
      if (!free(s.places[actor.taken]!)) {
        // A reader that recovers does not wait for places: it gives up, and looks again.
        return actor.role === "reader" ? go("give up") : undefined;
      }
      s.places[actor.taken++] = me;
      return s;
    case "inherit":
      if (s.state === WRITING) s.unrepaired = true;
      return go(variant.repairs && s.unrepaired ? "repair 1" : "W4");
    case "repair 1":
      s.state = WRITING;
      return go("repair 2");
    case "repair 2":
      s.torn = false;
      return go("repair 3");
    case "repair 3":
      s.unrepaired = false;
      return go(actor.role === "reader" ? "W5 state" : "W4");
    case "W4":
      s.state = WRITING;
      return go("write 1");
    case "write 1":
      if (alive("write 1") + alive("write 2") + alive("reading") > 0) {
        throw new Error("a writer beside another");
      }
      s.torn = true;
      return go("write 2");
    case "write 2":
      s.torn = false;
      return go("W5");
    case "W5":
      s.unrepaired = false;
      return go("W5 state");
    case "give up":
      if (s.state === WANTED) s.state = FREE;
      return go("W5 places");
    case "W5 state":
      s.state = FREE;
      return go("W5 places");
    case "W5 places":
      if (actor.taken > 0) {
        s.places[--actor.taken] = NOBODY;
        return s;
      }
      s.writers = NOBODY;
      return go(actor.role === "reader" ? "R1" : "done");
  }
  return undefined;
}

/** A writer that waits may run out of time. */
function timeOut(old: State, me: number): State | undefined {
  const { role, at } = old.actors[me]!;
  if (role !== "writer" || at !== "W3") return undefined;
  const s = structuredClone(old);
  s.actors[me]!.at = "give up";
  return s;
}

function kill(old: State, me: number): State | undefined {
  if (old.kills === 0 || ["done", "dead"].includes(old.actors[me]!.at)) return undefined;
  const s = structuredClone(old);
  s.kills--;
  s.actors[me]!.at = "dead";
  const pass = (owner: number): number => (owner === me ? DEAD_OWNER : owner);
  s.writers = pass(s.writers);
  s.places = s.places.map(pass);
  return s;
}

function check(
  variant: Variant,
  kills: number,
  roles: Actor["role"][],
): ReturnType<typeof explore> {
  const start: State = {
    actors: roles.map((role) => ({
      role,
      at: role === "reader" ? "R1" : "W1",
      taken: 0,
      place: 0,
    })),
    writers: NOBODY,
    places: Array.from({ length: PLACES }, () => NOBODY),
    state: FREE,
    unrepaired: false,
    torn: false,
    kills,
  };
  const next = (state: State): State[] =>
    state.actors
      .flatMap((_, me) => [step(state, me, variant), timeOut(state, me), kill(state, me)])
      .filter((following) => following !== undefined);
  const isEnd = (state: State): boolean =>
    state.actors.every(({ at }) => at === "done" || at === "dead");
  return explore(start, next, isEnd);
}

test.each([true, false])("no torn read, no overlap, nobody stuck; repairs: %p", (repairs) => {
  const casts: Actor["role"][][] = [
    ["writer", "writer", "reader"],
    ["writer", "reader", "reader"],
  ];
  if (SOAK) casts.push(["writer", "writer", "reader", "reader"]);
  for (const roles of casts) {
    const { states, stuck } = check({ repairs }, 2, roles);
    expect(stuck.slice(0, 3)).toEqual([]);
    expect(states).toBeGreaterThan(1000);
    console.log(`${roles.join(", ")}: ${states} states`);
  }
});

test("the model notices what is left out", () => {
  const roles: Actor["role"][] = ["writer", "reader"];
  expect(() => check({ repairs: true, skipCheck: true }, 1, roles)).toThrow("a torn read");
  expect(check({ repairs: true, skipRecovery: true }, 1, roles).stuck).not.toEqual([]);
});
