/**
 * How long to wait before the next try: a random time ("full jitter") below a ceiling that grows with each failure,
 * so that many clients of a broker that restarts do not all come back at the same moment.
 */
export interface Backoff {
  /** The ceiling before the first retry, in milliseconds. Default 50. */
  initialMs: number;
  /** How much each failure raises the ceiling; 1 or more. Default 2. */
  factor: number;
  /** The highest ceiling, in milliseconds. Default 5,000. */
  maximumMs: number;
}

export const defaultBackoff: Backoff = { initialMs: 50, factor: 2, maximumMs: 5000 };

/** A random time up to the ceiling after `failures` failures in a row, in milliseconds. */
export function backoffDelay(backoff: Backoff, failures: number): number {
  const ceiling = Math.min(backoff.initialMs * backoff.factor ** (failures - 1), backoff.maximumMs);
  return Math.random() * ceiling;
}
