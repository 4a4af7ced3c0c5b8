export type Timer = ReturnType<typeof setTimeout>;

/** What a timer can count to, in milliseconds; so long a wait is as good as endless. */
export const longestTimer = 2 ** 31 - 1;

/** How long the broker may take to answer a worker that halts, or a store that is closed, in milliseconds. */
export const farewellMs = 2000;

/** Resolves after a while, or as soon as one of the signals is aborted. */
export function pause(milliseconds: number, ...signals: AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    if (signals.some((signal) => signal.aborted)) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(milliseconds, longestTimer));
    for (const signal of signals) signal.addEventListener("abort", done, { once: true });
  });
}
