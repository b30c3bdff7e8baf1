/** Midnights of a time zone. */
import { fromAbsolute, toCalendarDate } from "@internationalized/date";

// Asked for every hour of a range, with few answers: kept by zone and hour.
const known = new Map<string, number>();
const MOST_KNOWN = 50_000;

/** The midnight (UTC ms) at which the day of a moment began in the zone. */
export function localDayStart(ms: number, timeZone: string): number {
  const key = `${timeZone} ${ms}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size > MOST_KNOWN) known.clear();
  const start = toCalendarDate(fromAbsolute(ms, timeZone)).toDate(timeZone).getTime();
  known.set(key, start);
  return start;
}
