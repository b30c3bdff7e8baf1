/** Ranges of time: presets and free ranges, in the chosen time zone, and the period that each is compared with. */
import { CalendarDate, now, parseDate, startOfMonth, toCalendarDate, type ZonedDateTime } from "@internationalized/date";
import { dateFormatter } from "../figures/format";
import { words } from "../language/words";

export const PRESETS = [
  { id: "15m", minutes: 15 },
  { id: "1h", minutes: 60 },
  { id: "6h", minutes: 360 },
  { id: "24h", minutes: 1_440 },
  { id: "7d", minutes: 10_080 },
  { id: "30d", minutes: 43_200 },
  { id: "90d", minutes: 129_600 },
  { id: "today" },
  { id: "yesterday" },
  { id: "month" },
  { id: "last-month" },
] as const;

export type PresetId = (typeof PRESETS)[number]["id"];

/** A preset, or whole days from the first to the last in the chosen time zone. As text: `7d`, `2026-11-01_2026-11-15`. */
export type RangeChoice = { preset: PresetId } | { first: CalendarDate; last: CalendarDate };

/** A half-open range in UTC milliseconds. */
export interface Span {
  start: number;
  end: number;
}

const MINUTE = 60_000;
/** The server answers for at most 400 days. */
export const LONGEST_DAYS = 400;

export function readRange(text: unknown): RangeChoice | undefined {
  if (typeof text !== "string") return undefined;
  const preset = PRESETS.find(({ id }) => id === text);
  if (preset) return { preset: preset.id };
  const [first, last] = text.split("_");
  try {
    const range = { first: parseDate(first ?? ""), last: parseDate(last ?? "") };
    const days = range.last.compare(range.first);
    return days >= 0 && days < LONGEST_DAYS ? range : undefined;
  } catch {
    return undefined;
  }
}

export function writeRange(range: RangeChoice): string {
  return "preset" in range ? range.preset : `${range.first.toString()}_${range.last.toString()}`;
}

/** The span that a choice means at a moment. `nowMs` is the server's clock. */
export function spanOf(range: RangeChoice, timeZone: string, nowMs: number): Span {
  if (!("preset" in range)) return { start: midnight(range.first, timeZone), end: midnight(range.last.add({ days: 1 }), timeZone) };
  const preset = PRESETS.find(({ id }) => id === range.preset);
  if (preset && "minutes" in preset) return { start: nowMs - preset.minutes * MINUTE, end: nowMs };
  const today = toCalendarDate(zonedNow(timeZone, nowMs));
  switch (range.preset) {
    case "yesterday":
      return { start: midnight(today.subtract({ days: 1 }), timeZone), end: midnight(today, timeZone) };
    case "month":
      return { start: midnight(startOfMonth(today), timeZone), end: nowMs };
    case "last-month": {
      const start = startOfMonth(today).subtract({ months: 1 });
      return { start: midnight(start, timeZone), end: midnight(startOfMonth(today), timeZone) };
    }
    default:
      return { start: midnight(today, timeZone), end: nowMs };
  }
}

/** The period before: the same part of yesterday or of the month before, otherwise as long, ending where the span begins. */
export function spanBefore(range: RangeChoice, span: Span, timeZone: string): Span {
  const preset = "preset" in range ? range.preset : undefined;
  if (preset === "today" || preset === "month" || preset === "last-month") {
    const back = preset === "today" ? { days: 1 } : { months: 1 };
    const start = at(span.start, timeZone).subtract(back).toDate().getTime();
    const end = preset === "last-month" ? span.start : at(span.end, timeZone).subtract(back).toDate().getTime();
    return { start, end: Math.min(end, span.start) };
  }
  return { start: span.start - (span.end - span.start), end: span.start };
}

export const presetName = (id: string): string => words.ranges[id] ?? id;

export function nameOf(range: RangeChoice): string {
  if ("preset" in range) return presetName(range.preset);
  const day = dateFormatter({ day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  return day.formatRange(range.first.toDate("UTC"), range.last.toDate("UTC"));
}

export function nameOfBefore(range: RangeChoice): string {
  if ("preset" in range) {
    const { preset } = range;
    if (preset === "today" || preset === "month" || preset === "last-month") return words.before[preset];
  }
  return words.before.other;
}

export type Grain = "minute" | "hour" | "day" | "week";

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The step of a chart of a span: at most about 200 points. */
export function grainFor(span: Span): Grain {
  const length = span.end - span.start;
  if (length <= 3.5 * HOUR) return "minute";
  if (length <= 8 * DAY) return "hour";
  return length <= 190 * DAY ? "day" : "week";
}

function midnight(day: CalendarDate, timeZone: string): number {
  return day.toDate(timeZone).getTime();
}

function zonedNow(timeZone: string, nowMs: number): ZonedDateTime {
  return now(timeZone).add({ milliseconds: Math.round(nowMs - Date.now()) });
}

function at(ms: number, timeZone: string): ZonedDateTime {
  return now(timeZone).add({ milliseconds: Math.round(ms - Date.now()) });
}
