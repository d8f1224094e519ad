/** A token that `using` posts back. */

/** Makes what posts one token back when it is first disposed of. */
export function heldToken(semaphore: { post(): void }): Disposable {
  let held = true;
  return {
    [Symbol.dispose]: () => {
      if (held) semaphore.post();
      held = false;
    },
  };
}
