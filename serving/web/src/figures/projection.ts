/** The next days as the mean of the same weekday in the four weeks before: the seasonal mean of forecasting practice (Hyndman and
 * Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 5.2), with a band from its own errors on the past. */

const WEEK = 7;
const WEEKS = 4;
/** Days that are projected. */
export const AHEAD = 7;
/** Days of the past that are needed: four weeks to average over, and one to hold the rule against. */
export const NEEDED = (WEEKS + 1) * WEEK;
// The band holds the middle four fifths of the errors.
const LOW_SHARE = 0.1;
const HIGH_SHARE = 0.9;

export interface Projection {
  values: number[];
  low: number[];
  high: number[];
  /** Median of |error| / actual over the days held against the rule; undefined where no actual was above 0. */
  medianError: number | undefined;
  /** How many days that were. */
  tested: number;
}

function sameWeekday(days: readonly number[], at: number): number {
  let sum = 0;
  for (let back = 1; back <= WEEKS; back += 1) sum += days[at - back * WEEK] ?? 0;
  return sum / WEEKS;
}

function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}

/** `days` are whole days without a gap, the newest last. Undefined when there are fewer than NEEDED. */
export function project(days: readonly number[]): Projection | undefined {
  if (days.length < NEEDED) return undefined;
  const errors: number[] = [];
  const shares: number[] = [];
  for (let at = WEEKS * WEEK; at < days.length; at += 1) {
    const actual = days[at] ?? 0;
    const error = actual - sameWeekday(days, at);
    errors.push(error);
    if (actual > 0) shares.push(Math.abs(error) / actual);
  }
  errors.sort((a, b) => a - b);
  shares.sort((a, b) => a - b);
  // A week ahead every weekday asked for is in the past.
  const values = Array.from({ length: AHEAD }, (_, ahead) => sameWeekday(days, days.length + ahead));
  const band = (share: number) => values.map((value) => Math.max(0, value + quantile(errors, share)));
  return { values, low: band(LOW_SHARE), high: band(HIGH_SHARE), medianError: shares.length ? quantile(shares, 0.5) : undefined, tested: errors.length };
}
