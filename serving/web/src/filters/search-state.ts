/** What the page shows, as the address says it: every choice is a search parameter, so that a link, the history and undo hold all of
 * it. A parameter that is absent or wrong means its default. */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { CHANNELS } from "../figures/channels";
import { METRICS, type MetricId } from "../figures/metrics";
import { readRange, writeRange, type RangeChoice } from "./date-range";

export const MODELS = ["first_touch", "last_touch", "last_non_direct", "linear", "time_decay", "position_based"] as const;
export type Model = (typeof MODELS)[number];

/** How often figures are read again: with each change, or every so many seconds. */
export const REFRESHES = ["live", "60", "300", "900", "3600", "off"] as const;
export type Refresh = (typeof REFRESHES)[number];

/** As in the address. */
export interface DashboardSearch {
  tenant?: string;
  range?: string;
  tz?: string;
  compare?: "none";
  channel?: string;
  campaign?: string;
  currency?: string;
  model?: Model;
  metric?: MetricId;
  refresh?: Refresh;
  conversion?: string;
  /** Goals of cards: `revenue:50000,roas:3`, money in whole units. */
  goals?: string;
  /** Ways of crediting that are compared: `linear,linear:7d`. */
  views?: string;
  /** Where the drill-down is: up to five parts, each escaped: channel, campaign, creative, customer, journey. */
  drill?: string;
}

const TENANT = /^[A-Za-z0-9._-]{1,64}$/;

export const isTenant = (name: string): boolean => TENANT.test(name);
const MOST_CAMPAIGNS = 200;

function text(value: unknown, allowed: RegExp): string | undefined {
  const given = typeof value === "number" ? String(value) : value;
  return typeof given === "string" && allowed.test(given) ? given : undefined;
}

function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T | undefined {
  return allowed.find((each) => each === String(value));
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Keeps what is allowed of a parsed address, and leaves out the rest. */
export function readSearch(given: Record<string, unknown>): DashboardSearch {
  const range = readRange(given.range);
  const tz = text(given.tz, /^[A-Za-z0-9_+\-/]{1,64}$/);
  const channels = String(given.channel ?? "")
    .split(",")
    .filter((each) => (CHANNELS as readonly string[]).includes(each));
  const read: { [K in keyof DashboardSearch]: DashboardSearch[K] | undefined } = {
    tenant: text(given.tenant, TENANT),
    range: range && writeRange(range),
    tz: tz && isTimeZone(tz) ? tz : undefined,
    compare: given.compare === "none" ? "none" : undefined,
    channel: channels.length ? channels.join(",") : undefined,
    campaign: text(given.campaign, /^[\s\S]{1,8000}$/),
    currency: text(given.currency, /^[A-Z]{3}$/),
    model: oneOf(given.model, MODELS),
    metric: oneOf(given.metric, Object.keys(METRICS) as MetricId[]),
    refresh: oneOf(given.refresh, REFRESHES),
    conversion: text(given.conversion, /^[\s\S]{1,256}$/),
    goals: text(given.goals, /^[a-z_]+:\d{1,15}(\.\d{1,6})?(,[a-z_]+:\d{1,15}(\.\d{1,6})?){0,10}$/),
    views: text(given.views, /^[a-z_]+(:\d{1,3}d)?(,[a-z_]+(:\d{1,3}d)?){0,5}$/),
    drill: text(given.drill, /^[\s\S]{1,2000}$/),
  };
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined)) as DashboardSearch;
}

/** Campaign ids may hold commas, so each is escaped before they are joined. */
export function joinCampaigns(ids: readonly string[]): string | undefined {
  return ids.length ? ids.map(encodeURIComponent).join(",") : undefined;
}

function splitCampaigns(joined: string | undefined): string[] {
  try {
    return joined ? joined.split(",").map(decodeURIComponent).slice(0, MOST_CAMPAIGNS) : [];
  } catch {
    return [];
  }
}

/** One way to credit conversions: a model, over touches at most so many days old; undefined: over the whole path. */
export interface View {
  model: Model;
  days: number | undefined;
}

const DEEPEST_DRILL = 5;

function readGoals(joined: string | undefined): Partial<Record<MetricId, number>> {
  const pairs = (joined?.split(",") ?? []).map((pair) => pair.split(":"));
  return Object.fromEntries(pairs.filter(([id, value]) => id !== undefined && id in METRICS && Number(value) > 0).map(([id, value]) => [id, Number(value)]));
}

export function writeGoals(goals: Partial<Record<MetricId, number>>): string | undefined {
  return Object.entries(goals).map(([id, value]) => `${id}:${value}`).join(",") || undefined;
}

export const writeView = ({ model, days }: View): string => (days === undefined ? model : `${model}:${days}d`);

function readViews(joined: string | undefined): View[] {
  const views: View[] = [];
  for (const part of joined?.split(",") ?? []) {
    const [name, length] = part.split(":");
    const model = MODELS.find((each) => each === name);
    if (model) views.push({ model, days: length ? Number(length.slice(0, -1)) : undefined });
  }
  return views.length >= 2 ? views : DEFAULT_VIEWS;
}

const DEFAULT_VIEWS: View[] = [
  { model: "linear", days: undefined },
  { model: "last_touch", days: undefined },
  { model: "linear", days: 7 },
];

/** The address with defaults filled in. */
export interface DashboardState {
  tenant: string;
  range: RangeChoice;
  timeZone: string;
  compare: boolean;
  channels: string[];
  campaigns: string[];
  currency: string | undefined;
  model: Model;
  metric: MetricId;
  refresh: Refresh | undefined;
  conversion: string | undefined;
  goals: Partial<Record<MetricId, number>>;
  views: View[];
  drill: string[];
}

export const LAST_TENANT = "tributary.tenant";
// To ask costs a browser half a millisecond, and every widget asks.
let ownTimeZone: string | undefined;
export const browserTimeZone = (): string => (ownTimeZone ??= Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");

export function useDashboardState(): DashboardState {
  const search: DashboardSearch = useSearch({ strict: false });
  return useMemo(
    () => ({
      tenant: search.tenant ?? "",
      range: readRange(search.range) ?? { preset: "7d" },
      timeZone: search.tz ?? browserTimeZone(),
      compare: search.compare !== "none",
      channels: search.channel?.split(",") ?? [],
      campaigns: splitCampaigns(search.campaign),
      currency: search.currency,
      model: search.model ?? "linear",
      metric: search.metric ?? "revenue",
      refresh: search.refresh,
      conversion: search.conversion,
      goals: readGoals(search.goals),
      views: readViews(search.views),
      drill: splitCampaigns(search.drill).slice(0, DEEPEST_DRILL),
    }),
    [search],
  );
}

/** Changes some choices; undefined takes one away. Every change is a step of the history. */
export function useChangeSearch(): (change: { [K in keyof DashboardSearch]?: DashboardSearch[K] | undefined }) => void {
  const navigate = useNavigate();
  return useCallback(
    (change) => {
      void navigate({
        to: ".",
        search: (before: DashboardSearch) => readSearch({ ...before, ...change }),
        resetScroll: false,
      } as never);
    },
    [navigate],
  );
}

/** Turns one channel or campaign of the filter on, or off when it is the only one that is on. */
export function useCrossFilter(): (dimension: "channel" | "campaign", value: string) => void {
  const change = useChangeSearch();
  const { channels, campaigns } = useDashboardState();
  return useCallback(
    (dimension, value) => {
      const present = dimension === "channel" ? channels : campaigns;
      const next = present.length === 1 && present[0] === value ? [] : [value];
      change(dimension === "channel" ? { channel: next.join(",") || undefined } : { campaign: joinCampaigns(next) });
    },
    [change, channels, campaigns],
  );
}
