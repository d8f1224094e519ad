/**
 * Every budget, slice and timer of this package, in one place.
 *
 * None of them stands for a fact ("dead after a second"): they bound how long something goes
 * unnoticed, or what is spent before a cheaper way to wait is taken.
 */
import { cpus } from "node:os";

/**
 * The longest uninterrupted sleep, in ms. After it the thread can be terminated, signals arrive,
 * and what a killed waker published is found.
 */
export const SLICE_MS = 50;

/**
 * How often, in ms, an event loop looks by itself at what it waits for. That is not how waits end,
 * but the bound on a waker that was killed after it published and before it rang.
 */
export const RECHECK_MS = 250;

/** How long, in ms, one process waits for another that is between two steps of making something. */
export const CREATOR_PATIENCE_MS = 1000;
/** How often it looks meanwhile, in ms. */
export const CREATOR_LOOK_MS = 0.2;

/** How often, in ms, a blocking wait looks for a name that does not exist yet. */
export const NAME_LOOK_MS = 1;
/** How often, in ms, something is looked for that nothing can wake for: no futex, no semaphore. */
export const POLL_MS = 1;
/** How often, in ms, a closed segment is looked at whose buffer an asynchronous operation uses. */
export const PINNED_LOOK_MS = 5;

/** Polls of an adaptive wait, at a few ns each: about what a sleep and a wake across cores cost. */
export const SPIN_POLLS = 2000;
/** Polls between two looks at the clock. */
export const POLLS_PER_CLOCK = 1024;
/** Turns of the event loop that an adaptive wait takes before it asks to be rung, at 1 µs each. */
export const SPIN_TURNS = 64;
/** Of this many async waits at a point where spinning is in vain, one spins in full to find out. */
export const SPIN_TRIAL_PERIOD = 16;
/** Looks of a queue's waiter before it sleeps: about what a sleep and a wake across cores cost. */
export const QUEUE_LOOKS = 6000;
/** Looks at a queue's lock before a sleep: it is held for some hundred ns. */
export const QUEUE_LOCK_LOOKS = 400;
/** Tries at a queue's mutex before a sleep: a C program holds it for less than a microsecond. */
export const QUEUE_MUTEX_TRIES = 200;

/**
 * How long, in ms, a living C program may hold a queue's mutex while nothing moves, before it is
 * overruled: a million times what it needs. A stopped one may for ever.
 */
export const QUEUE_MUTEX_PATIENCE_MS = 400;
/** How long, in ms, nothing may have moved in a queue before its tokens are made to fit. */
export const QUEUE_QUIET_MS = 40;
/** The same where C programs take part, which do not say what they have in hand. */
export const QUEUE_QUIET_WITH_C_MS = 300;

/** Tries for a mutex before a sleep: what it guards is mostly shorter than a sleep and a wake. */
export const LOCK_TRIES = 100;
/** How long, in ms, who just had a readers-writer lock lets those who wait go first. */
export const COURTESY_MS = 0.2;
/** How often, in ms, who waits at a barrier looks whether the other participants still live. */
export const CENSUS_MS = 20;
/** How often, in ms, a lease's holder looks whether the name still stands for its lease. */
export const NAME_CHECK_MS = 1000;
/** Tries to read together what a holder writes meanwhile; a term's few words take it 1 µs. */
export const STABLE_READ_TRIES = 100;

/**
 * Whether to spin at all: where only one process runs at a time, spinning keeps away the one that
 * is waited for. The machine's cores are counted and not this process's: one that is pinned to a
 * core waits for others elsewhere (navigator.hardwareConcurrency would be 1 there).
 */
export const MAY_SPIN: boolean = cpus().length > 1;

/** Longest timer that JavaScript has, in ms; a longer wait sets it again. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;
