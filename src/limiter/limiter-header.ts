/** The header of a limiter: how it is written, read, and checked when a limiter is found. */
import { LayoutError } from "../errors.ts";
import { layoutHash } from "../layout/description.ts";
import {
  LIMITER_ALGORITHMS,
  LIMITER_ALGORITHM_PARAMETER,
  LIMITER_BURST_PARAMETER,
  LIMITER_COUNTS,
  LIMITER_ENTRIES_PARAMETER,
  LIMITER_ENTRY,
  LIMITER_KEYS_PARAMETER,
  LIMITER_LIMIT_PARAMETER,
  LIMITER_SEED_PARAMETER,
  LIMITER_STRIPE,
  LIMITER_STRIPES_SHIFT,
  LIMITER_WINDOW_PARAMETER,
} from "../layout/limiter-layout.ts";
import { HEADER_PARAMETERS_OFFSET, SEGMENT_KINDS } from "../layout/segment-header.ts";
import { accessesPlainly } from "../memory/atomics.ts";
import type { NewHeader, Structure, StructureKind } from "../segment/structure.ts";
import {
  type LimiterShape,
  MAX_KEYS,
  MAX_LIMIT,
  MAX_WINDOW_MS,
  type Policy,
  entryWordsOf,
  hasBucket,
  limiterLength,
  planLimiter,
  ticksPerMs,
} from "./algorithm/limiter-shape.ts";
import {
  ALGORITHMS,
  type RateLimiterNewOptions,
  type RateLimiterOptions,
  policyOf,
} from "./limiter-options.ts";

const HASH = layoutHash(LIMITER_STRIPE, LIMITER_ENTRY, LIMITER_COUNTS);
const ALGORITHM_MASK: number = 2 ** LIMITER_STRIPES_SHIFT - 1;
const MAX_STRIPES_LOG = 6;

export const LIMITER_KIND: StructureKind = {
  noun: "rate limiter",
  kinds: { [SEGMENT_KINDS.limiter]: { layoutHash: HASH } },
  // A private mapping shows what others write until it is written to, by a look too.
  readable: accessesPlainly(),
};

/** The checked numbers of a limiter's header. */
export interface LimiterNumbers {
  readonly policy: Policy;
  readonly shape: LimiterShape;
  readonly keys: number;
  /** Both halves of the hash's seed. */
  readonly seeds: readonly [number, number];
}

/** @returns The header of a new limiter, with new seeds. */
export function limiterHeader(options: RateLimiterNewOptions): NewHeader {
  const { algorithm, limit, windowMs, burst } = policyOf(options);
  const shape = planLimiter(options.keys, algorithm);
  const stripes = Math.log2(shape.stripeCount) << LIMITER_STRIPES_SHIFT;
  const parameters = [
    LIMITER_ALGORITHMS[algorithm] | stripes,
    limit,
    windowMs,
    burst,
    options.keys,
    shape.entryCount,
    ...crypto.getRandomValues(new Uint32Array(2)),
  ];
  return {
    kind: SEGMENT_KINDS.limiter,
    layoutHash: HASH,
    dataLength: limiterLength(shape),
    parameters,
  };
}

/** @returns The numbers in a limiter's header. @throws LayoutError when they make no limiter. */
export function readLimiter({ what, header, placed }: Structure): LimiterNumbers {
  const { dataLength, parameters = [] } = header;
  const number = (parameter: number): number => parameters[parameter] ?? 0;
  const first = number(LIMITER_ALGORITHM_PARAMETER);
  const algorithm = ALGORITHMS.find(
    (name) => LIMITER_ALGORITHMS[name] === (first & ALGORITHM_MASK),
  );
  const limit = number(LIMITER_LIMIT_PARAMETER);
  const windowMs = number(LIMITER_WINDOW_PARAMETER);
  const burst = number(LIMITER_BURST_PARAMETER);
  const keys = number(LIMITER_KEYS_PARAMETER);
  const stripesLog = first >>> LIMITER_STRIPES_SHIFT;
  const entryCount = number(LIMITER_ENTRIES_PARAMETER);
  if (algorithm !== undefined && stripesLog <= MAX_STRIPES_LOG) {
    const policy = { algorithm, limit, windowMs, burst };
    const shape = {
      stripeCount: 2 ** stripesLog,
      entryCount,
      entryWords: entryWordsOf(algorithm),
    };
    const fits = keys >= 1 && keys <= MAX_KEYS && entryCount >= 1 && entryCount <= MAX_KEYS;
    if (fits && isPolicy(policy) && limiterLength(shape) === dataLength) {
      const seed = LIMITER_SEED_PARAMETER;
      return { policy, shape, keys, seeds: [number(seed), number(seed + 1)] };
    }
  }
  throw new LayoutError(`Cannot open ${what}: its numbers make no rate limiter`, {
    expected: `${dataLength} bytes`,
    found: JSON.stringify({ algorithm: first, limit, windowMs, burst, keys, entryCount }),
    offset: placed.offset + HEADER_PARAMETERS_OFFSET,
  });
}

function isPolicy(policy: Policy): boolean {
  const { algorithm, limit, windowMs, burst } = policy;
  const hasRightBurst = hasBucket(algorithm) ? burst >= 1 && burst <= MAX_LIMIT : burst === 0;
  const hasRightLimit = limit >= 1 && limit <= MAX_LIMIT;
  const hasRightWindow = windowMs >= 1 && windowMs <= MAX_WINDOW_MS;
  return hasRightBurst && hasRightLimit && hasRightWindow && ticksPerMs(policy) > 0;
}

/**
 * Compares a limiter that was found with what the caller asked for.
 *
 * @throws LayoutError that names the option, the value that is there, and the one that was asked
 *   for.
 */
export function checkFoundLimiter(structure: Structure, asked: RateLimiterOptions): void {
  const { policy, keys } = readLimiter(structure);
  const compare = <V extends string | number>(
    field: string,
    parameter: number,
    found: V,
    wanted: V | undefined,
  ): void => {
    structure.mustHave(field, HEADER_PARAMETERS_OFFSET + parameter * 4, found, wanted);
  };
  compare("algorithm", LIMITER_ALGORITHM_PARAMETER, policy.algorithm, asked.algorithm);
  compare("limit", LIMITER_LIMIT_PARAMETER, policy.limit, asked.limit);
  compare("windowMs", LIMITER_WINDOW_PARAMETER, policy.windowMs, asked.windowMs);
  compare("burst", LIMITER_BURST_PARAMETER, policy.burst, asked.burst);
  compare("keys", LIMITER_KEYS_PARAMETER, keys, asked.keys);
}
