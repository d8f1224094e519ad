/** What a call throws, as a test compares it: the class and the code, `StateError EBUSY`. */
export function thrown(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return described(error);
  }
  return "nothing";
}

/** What a promise is rejected with, in the form of `thrown`. */
export async function rejected(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => "nothing", described);
}

function described(error: unknown): string {
  const { name, code } = error as { name: string; code?: string };
  return code === undefined ? name : `${name} ${code}`;
}
