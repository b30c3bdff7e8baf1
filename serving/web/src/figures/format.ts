/** Numbers, money and shares as people of the page's locale write them. */
import { locale, words } from "../language/words";
import type { Metric, Unit } from "./metrics";

const MICROS = 1_000_000;
/** Shown where a value does not exist, such as a ratio over 0. Screen readers get the words. */
export const NO_VALUE = "–";

const made = new Map<string, Intl.NumberFormat>();

function formatter(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify(options);
  let found = made.get(key);
  if (!found) {
    found = new Intl.NumberFormat(locale, options);
    made.set(key, found);
  }
  return found;
}

export interface Style {
  /** ISO 4217; needed for money. */
  currency?: string | undefined;
  /** Short, as on axes and cards: 12.3K. */
  short?: boolean;
}

/** Writes a value of a unit; money comes in micros, shares as fractions. */
export function write(value: number | undefined, unit: Unit, style: Style = {}): string {
  if (value === undefined || !Number.isFinite(value)) return NO_VALUE;
  switch (unit) {
    case "money":
      return money(value, style);
    case "count":
      return style.short
        ? formatter({ notation: "compact", maximumFractionDigits: 1 }).format(value)
        : formatter({ maximumFractionDigits: 0 }).format(value);
    case "share":
      return share(value);
    case "ratio":
      return formatter({ minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(value);
    case "score":
      return formatter({ maximumFractionDigits: 1 }).format(value);
  }
}

/** Three digits, so that figures below one another can be compared; nothing and all need none behind the point. */
function share(value: number): string {
  const size = Math.abs(value);
  const digits = size === 0 || size === 1 ? 0 : size < 0.1 ? 2 : 1;
  return formatter({ style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** A mark that a share is held against: as round as it was set. */
export function writeMark(value: number): string {
  return formatter({ style: "percent", maximumFractionDigits: 1 }).format(value);
}

function money(micros: number, { currency, short }: Style): string {
  const value = micros / MICROS;
  const options: Intl.NumberFormatOptions = short ? shortMoney(value) : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return formatter(currency ? { ...options, style: "currency", currency } : options).format(value);
}

/** Cents only where they matter: not for whole amounts, and not from a hundred on. */
function shortMoney(value: number): Intl.NumberFormatOptions {
  if (Math.abs(value) >= 999.5) return { notation: "compact", maximumFractionDigits: 1 };
  const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 2;
  return { minimumFractionDigits: digits, maximumFractionDigits: digits };
}

/** The exact amount, to the last micro, for tables that are exported. */
export function exactMoney(micros: bigint): string {
  const sign = micros < 0n ? "-" : "";
  const size = micros < 0n ? -micros : micros;
  const rest = (size % BigInt(MICROS)).toString().padStart(6, "0").replace(/0{1,4}$/, "");
  return `${sign}${size / BigInt(MICROS)}.${rest}`;
}

export interface Change {
  /** Fraction of the earlier value; undefined when there is none to compare with, or it was 0. */
  share: number | undefined;
  verdict: "good" | "bad" | "neither";
}

export function change(metric: Metric, now: number | undefined, before: number | undefined): Change {
  if (now === undefined || before === undefined || before === 0) return { share: undefined, verdict: "neither" };
  const share = (now - before) / Math.abs(before);
  // What would be written as 0.0 % is no change.
  if (metric.better === "neither" || Math.abs(share) < 0.0005) return { share, verdict: "neither" };
  return { share, verdict: share > 0 === (metric.better === "higher") ? "good" : "bad" };
}

/** A plain number with a sign, such as a coefficient. */
export function writeSigned(value: number, digits: number): string {
  return formatter({ signDisplay: "exceptZero", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

export function writeChange(share: number): string {
  return formatter({ style: "percent", signDisplay: "exceptZero", maximumFractionDigits: 1 }).format(share);
}

/** A length of time in words, by its largest unit: "3 min", "2 h". */
export function writeAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return words.common.seconds(seconds);
  if (seconds < 3600) return words.common.minutes(Math.floor(seconds / 60));
  if (seconds < 172_800) return words.common.hours(Math.floor(seconds / 3600));
  return words.common.days(Math.floor(seconds / 86_400));
}

export function writeTime(ms: number, timeZone: string, precision: "second" | "minute" | "day" = "minute"): string {
  const options: Intl.DateTimeFormatOptions =
    precision === "day"
      ? { day: "numeric", month: "short", year: "numeric" }
      : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", ...(precision === "second" && { second: "2-digit" }) };
  return dateFormatter({ ...options, timeZone }).format(ms);
}

export function writeClock(ms: number, timeZone: string): string {
  return dateFormatter({ hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone }).format(ms);
}

const dates = new Map<string, Intl.DateTimeFormat>();

export function dateFormatter(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(options);
  let found = dates.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(locale, { hourCycle: "h23", ...options });
    dates.set(key, found);
  }
  return found;
}
