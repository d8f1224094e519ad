/**
 * Tells errors that this package made from those of the engine: import it before the package. The
 * engine uses the constructors that were there at first, whatever the global names stand for.
 */
const ENGINES: ReadonlySet<unknown> = new Set([Error, TypeError, RangeError, SyntaxError]);

/** Also without `new`, which Bun leaves out where it makes no difference. */
function ownForm(engines: ErrorConstructor): ErrorConstructor {
  function Own(...args: [string?, ErrorOptions?]): Error {
    return Reflect.construct(engines, args, Own) as Error;
  }
  Object.setPrototypeOf(Own, engines);
  Own.prototype = Object.create(engines.prototype, { constructor: { value: Own } }) as Error;
  // The engine's own are errors of this name as well, for whoever catches them.
  Object.defineProperty(Own, Symbol.hasInstance, {
    value: (error: unknown) => error instanceof engines,
  });
  return Own as unknown as ErrorConstructor;
}

Object.assign(globalThis, { TypeError: ownForm(TypeError), RangeError: ownForm(RangeError) });

/** Whether the package made it, and not the engine. */
export function isOwn(error: unknown): error is Error {
  return error instanceof Error && !ENGINES.has(error.constructor);
}
