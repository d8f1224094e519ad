/**
 * Every budget, slice and timer of this package, in one place.
 *
 * None of them is used as a proof, as "dead after a second" would be. They bound how long something
 * goes unnoticed, or how much is spent before a wait changes to a cheaper way.
 */
import { cpus } from "node:os";

/**
 * The longest uninterrupted sleep, in ms. After each, the thread can be terminated, and it finds
 * what a waker published that was killed before it woke anybody.
 */
export const SLICE_MS = 50;
/** The same where it waits for a holder, whose death wakes nobody. */
export const HOLDER_SLICE_MS = 10;

/**
 * How often, in ms, an event loop looks unasked at what it waits for. Waits normally end by a bell;
 * this finds what a waker published that was killed before it rang.
 */
export const RECHECK_MS = 250;
/** The same where it waits for a holder, whose death rings no bell. */
export const HOLDER_RECHECK_MS = 50;

/**
 * How long, in ms, one process waits for another that may be between two steps of making something,
 * where nobody can be asked whether it is.
 */
export const CREATOR_PATIENCE_MS = 1000;
/** How often, in ms, it looks meanwhile. */
export const CREATOR_LOOK_MS = 0.2;
/** How long, in ms, it waits for a maker that is known to live, unless the caller says how long. */
export const LIVE_MAKER_PATIENCE_MS = 30_000;

/** How often, in ms, a blocking wait looks for a name that does not exist yet. */
export const NAME_LOOK_MS = 1;
/** How often, in ms, a wait polls where it has neither a futex nor a semaphore to sleep on. */
export const POLL_MS = 1;
/** How often, in ms, an event loop looks at what it can only read, and so cannot be told of. */
export const READER_LOOK_MS = 5;
/** How often, in ms, a closed segment tries to unmap a buffer that an asynchronous call uses. */
export const PINNED_LOOK_MS = 5;

/** Polls of an adaptive wait, at a few ns each: about what a sleep and a wake across cores cost. */
export const SPIN_POLLS = 2000;
/** Polls between two reads of the clock. */
export const POLLS_PER_CLOCK = 1024;
/**
 * How long, in ms, asynchronous calls of a thread may be answered at once before the event loop
 * turns. A turn takes about a microsecond.
 */
export const TURN_MS = 2;
/** Asynchronous calls between two looks at the clock for that. */
export const CALLS_PER_CLOCK = 8;
/** Looks of an async wait before it lets the event loop turn, at a few ns each: about one turn. */
export const HOT_LOOKS = 256;
/** Turns of the event loop that an async wait takes before it uses its bell, at 1 µs each. */
export const SPIN_TURNS = 64;
/** Where spinning has not helped, one async wait in so many spins in full, to try again. */
export const SPIN_TRIAL_PERIOD = 16;
/** Looks of a queue's waiter before it sleeps: about what a sleep and a wake across cores cost. */
export const QUEUE_LOOKS = 6000;
/** Tries at a queue's mutex before a sleep: a C program holds it for less than a microsecond. */
export const QUEUE_MUTEX_TRIES = 200;

/**
 * How long, in ms, a living C program may hold a queue's mutex while nothing moves, before the
 * mutex counts as lost: a million times what the program needs. A stopped program has no limit.
 */
export const QUEUE_MUTEX_PATIENCE_MS = 400;
/** How long, in ms, nothing must have moved in a queue before its tokens are made to fit. */
export const QUEUE_QUIET_MS = 40;
/** The same where C programs take part, which do not record which tokens they have in hand. */
export const QUEUE_QUIET_WITH_C_MS = 300;

/** Tries for a mutex before a sleep: most critical sections are shorter than a sleep and a wake. */
export const LOCK_TRIES = 100;
/** How long, in ms, a handle that has just released a readers-writer lock lets others go first. */
export const COURTESY_MS = 0.2;
/** How often, in ms, a waiter at a barrier may check whether the other participants live. */
export const CENSUS_MS = 20;
/** How often, in ms, a lease's holder checks whether the lease still has its name. */
export const NAME_CHECK_MS = 1000;
/** How often a lease's words are read until no holder wrote meanwhile, which takes it 1 µs. */
export const STABLE_READ_TRIES = 100;

/**
 * Whether spinning can help: on a single core it keeps the process that is waited for from running.
 * This counts the machine's cores and not this process's, because a process that is pinned to one
 * core waits for others on other cores (navigator.hardwareConcurrency would be 1 there).
 */
export const MAY_SPIN: boolean = cpus().length > 1;

/** The longest timer of JavaScript, in ms; a longer wait sets several, one after the other. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;
