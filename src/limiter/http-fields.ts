/** The fields of HTTP responses that tell of a limit. */
import { checkInteger, shown } from "../arguments.ts";
import type { RateLimiterResult } from "./algorithm/limiter-core.ts";

const ACTION = "Cannot make the fields of a response";

/**
 * @param limit What a client can take at once.
 * @returns The fields of draft-ietf-httpapi-ratelimit-headers-06, and `Retry-After` of RFC 9110.
 * @throws TypeError when it is no result.
 */
export function rateLimitFields(limit: number, result: RateLimiterResult): Record<string, string> {
  if (typeof result !== "object" || result === null) {
    throw new TypeError(`${ACTION}: they come from a result of consume, not ${shown(result)}`);
  }
  const { allowed, remaining, retryAfterMs, resetMs } = result;
  checkInteger(ACTION, "remaining", remaining, Number.MIN_SAFE_INTEGER);
  const fields: Record<string, string> = {
    "RateLimit-Limit": String(limit),
    "RateLimit-Remaining": String(Math.max(remaining, 0)),
    "RateLimit-Reset": seconds("resetMs", resetMs),
  };
  if (!allowed) fields["Retry-After"] = seconds("retryAfterMs", retryAfterMs);
  return fields;
}

function seconds(what: string, timeMs: number): string {
  return String(Math.ceil(checkInteger(ACTION, what, timeMs, 0) / 1e3));
}
