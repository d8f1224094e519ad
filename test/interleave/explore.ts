/** Every interleaving of a small model, with kills at every step: for proofs of a protocol. */

export interface Exploration {
  readonly states: number;
  /** States from which no run ends well, however the steps fall. */
  readonly stuck: readonly string[];
}

/**
 * Visits every state that can be reached.
 *
 * @param next All states that one step of one process leads to; throws when a state is wrong.
 * @param isEnd Whether everybody is done.
 */
export function explore<S>(
  start: S,
  next: (state: S) => S[],
  isEnd: (state: S) => boolean,
): Exploration {
  const key = (state: S): string => JSON.stringify(state);
  const before = new Map<string, string[]>([[key(start), []]]);
  const ends: string[] = [];
  const stack = [start];
  while (stack.length > 0) {
    const state = stack.pop()!;
    const from = key(state);
    if (isEnd(state)) ends.push(from);
    for (const following of next(state)) {
      const to = key(following);
      const known = before.get(to);
      if (known !== undefined) {
        known.push(from);
        continue;
      }
      before.set(to, [from]);
      stack.push(following);
    }
  }
  const good = new Set(ends);
  while (ends.length > 0) {
    for (const from of before.get(ends.pop()!)!) {
      if (good.has(from)) continue;
      good.add(from);
      ends.push(from);
    }
  }
  return { states: before.size, stuck: [...before.keys()].filter((state) => !good.has(state)) };
}
