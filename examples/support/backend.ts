/** What the cluster's cache stands in front of: a slow place that has the documents. */

export interface Doc {
  readonly id: string;
  readonly text: string;
}

/** The names of all documents. */
export const DOCUMENTS: readonly string[] = Array.from({ length: 4000 }, (_, at) => `doc-${at}`);

/** Makes a backend that takes 50 ms for a call. @param count Is told of each call before it. */
export function backendOf(count: (id: string) => void): (id: string) => Promise<Doc | null> {
  const known = new Set(DOCUMENTS);
  return async (id) => {
    if (!known.has(id)) return null;
    count(id);
    await Bun.sleep(50);
    return { id, text: `The text of ${id}` };
  };
}
