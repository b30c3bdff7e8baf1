/** Sums and time series of campaigns, as the filters select them. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { Dimension, Grain as GrainMessage, type Kpis } from "../gen/tributary/v1/campaign_metrics_pb";
import { readSums, type Sums } from "../figures/metrics";
import { useDashboardState } from "../filters/search-state";
import { grainFor, type Grain, type Span } from "../filters/date-range";
import type { TimeRange } from "../gen/tributary/v1/freshness_pb";
import { rangeParameters, selectionParameters, type ServerFiles } from "./export";
import { readProvenance, type Provenance } from "./freshness";
import { localDayStart } from "./local-days";
import { toMs } from "./protobuf-time";
import { campaignSelection, rangeKey, refreshMs, selectionKey, span, timeRange, useRefresh, type Period } from "./selection";
import { campaigns } from "./services";

/** An answer, with what it says about itself. */
export interface Answer<T> {
  value: T;
  provenance: Provenance;
  span: Span;
  /** The same answer as a file of the server; absent where it makes none. */
  files?: ServerFiles;
}

export type Split = "campaign" | "channel";

export interface Group {
  campaign: string;
  channel: string;
  currency: string;
  sums: Sums;
  /** Absent where sums were added up here. */
  kpis: Kpis | undefined;
}

export interface Point extends Group {
  start: number;
  end: number;
}

export interface Series {
  points: Point[];
  grain: Grain;
  /** True when days begin at midnight of the chosen time zone, false when at midnight UTC. */
  localDays: boolean;
}

const DIMENSIONS: Record<Split, Dimension> = { campaign: Dimension.CAMPAIGN, channel: Dimension.CHANNEL };
const GRAINS: Record<Grain, GrainMessage> = {
  minute: GrainMessage.MINUTE,
  hour: GrainMessage.HOUR,
  day: GrainMessage.DAY,
  week: GrainMessage.WEEK,
};
const GROUPS_PER_PAGE = 1_000;
const POINTS_PER_PAGE = 10_000;
// A selection with more groups than this is for an export, not for a page.
const MOST_PAGES = 5;

/** Keeps what was shown while a filter changes, but never another tenant's figures. */
export function keepFor(tenant: string): <T>(before: T | undefined, query: { queryKey: readonly unknown[] } | undefined) => T | undefined {
  return (before, query) => (query?.queryKey[1] === tenant ? before : undefined);
}

/** Sums of the range by group; without a split one group per currency. */
export function useTotals(by: Split[] = [], period: Period = "now", enabled = true): UseQueryResult<Answer<Group[]>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  return useQuery({
    queryKey: ["totals", state.tenant, rangeKey(state), selectionKey(state), by.join(), period] as const,
    enabled: enabled && state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, period);
      const request = {
        tenantId: state.tenant,
        range: timeRange(wanted),
        selection: campaignSelection(state),
        groupBy: by.map((each) => DIMENSIONS[each]),
        pageSize: GROUPS_PER_PAGE,
      };
      const value: Group[] = [];
      let pageToken = "";
      for (let page = 0; ; page += 1) {
        const answer = await campaigns.getCampaignMetrics({ ...request, pageToken }, { signal });
        for (const { campaignId, channel, currency, sums, kpis } of answer.metrics)
          value.push({ campaign: campaignId, channel, currency, sums: readSums(sums), kpis });
        pageToken = answer.nextPageToken;
        if (!pageToken || page + 1 === MOST_PAGES) {
          const parameters = { ...rangeParameters(wanted), ...selectionParameters(state), ...(by.length && { group_by: by.join() }), page_size: GROUPS_PER_PAGE };
          const files = [{ chart: "metrics", subject: "campaigns", parameters }] as const;
          return { value, provenance: readProvenance(answer.freshness), span: covered(answer.coveredRange, wanted), files };
        }
      }
    },
  });
}

/** Sums per step of time. Days begin at midnight of the chosen time zone where that is a whole hour. `hours` asks for hours whatever the
 * length of the range. */
export function useSeries(by: Split[] = [], period: Period = "now", options: { enabled?: boolean; hours?: boolean } = {}): UseQueryResult<Answer<Series>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const hours = options.hours ?? false;
  return useQuery({
    queryKey: ["series", state.tenant, rangeKey(state), selectionKey(state), by.join(), period, hours] as const,
    enabled: (options.enabled ?? true) && state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, period);
      const grain = hours ? "hour" : grainFor(wanted);
      const localDays = grain === "day" && wholeHours(state.timeZone, wanted);
      const request = {
        tenantId: state.tenant,
        range: timeRange(wanted),
        grain: GRAINS[grain],
        timeZone: localDays ? state.timeZone : "",
        selection: campaignSelection(state),
        groupBy: by.map((each) => DIMENSIONS[each]),
        pageSize: POINTS_PER_PAGE,
      };
      const points: Point[] = [];
      let pageToken = "";
      for (let page = 0; ; page += 1) {
        const answer = await campaigns.listTimeSeries({ ...request, pageToken }, { signal });
        for (const { startTime, endTime, metrics } of answer.points)
          points.push({
            start: toMs(startTime) ?? 0,
            end: toMs(endTime) ?? 0,
            campaign: metrics?.campaignId ?? "",
            channel: metrics?.channel ?? "",
            currency: metrics?.currency ?? "",
            sums: readSums(metrics?.sums),
            kpis: metrics?.kpis,
          });
        pageToken = answer.nextPageToken;
        if (!pageToken || page + 1 === MOST_PAGES) {
          const value = { points, grain, localDays: localDays || grain !== "day" };
          const steps = { grain, ...(localDays && { time_zone: state.timeZone }), ...(by.length && { group_by: by.join() }), page_size: POINTS_PER_PAGE };
          const files = [{ chart: "time-series", subject: "campaigns", parameters: { ...rangeParameters(wanted), ...selectionParameters(state), ...steps } }] as const;
          return { value, provenance: readProvenance(answer.freshness), span: covered(answer.coveredRange, wanted), files };
        }
      }
    },
  });
}

export function covered(range: TimeRange | undefined, wanted: Span): Span {
  return { start: toMs(range?.startTime) ?? wanted.start, end: toMs(range?.endTime) ?? wanted.end };
}

const HOUR_MS = 3_600_000;
/** True when midnight of the zone falls on a whole hour UTC, so that the server's hours add up to its days. */
function wholeHours(timeZone: string, { start }: Span): boolean {
  return localDayStart(start, timeZone) % HOUR_MS === 0;
}

/** The currency that money is shown in: the chosen one, otherwise that with the most events. Amounts of several are never added. */
export function mainCurrency(groups: readonly Pick<Group, "currency" | "sums">[], chosen: string | undefined): string | undefined {
  if (chosen) return chosen;
  const events = new Map<string, bigint>();
  for (const { currency, sums } of groups) events.set(currency, (events.get(currency) ?? 0n) + sums.events);
  let best: string | undefined;
  for (const [currency, number] of events) if (best === undefined || number > (events.get(best) ?? 0n)) best = currency;
  return best;
}
