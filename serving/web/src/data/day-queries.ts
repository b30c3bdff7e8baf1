/** Sums of the last whole days, whatever range is chosen: what a projection rests on. */
import { fromAbsolute, toCalendarDate } from "@internationalized/date";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { Grain } from "../gen/tributary/v1/campaign_metrics_pb";
import { addSums, NO_SUMS, readSums, type Sums } from "../figures/metrics";
import { useDashboardState } from "../filters/search-state";
import { keepFor, type Answer } from "./campaign-queries";
import { rangeParameters, selectionParameters } from "./export";
import { readProvenance } from "./freshness";
import { toMs } from "./protobuf-time";
import { campaignSelection, refreshMs, selectionKey, timeRange, useRefresh } from "./selection";
import { serverNow } from "./server-clock";
import { campaigns } from "./services";

export interface Day {
  /** Midnight of the chosen time zone, UTC ms. */
  start: number;
  groups: { currency: string; sums: Sums }[];
}

/** Eight weeks: four to average over, four to hold the rule against. */
export const DAYS = 56;
const POINTS = 10_000;

/** Whole days of the chosen time zone, without a gap, from the day after the first with a figure, which may be a part of a day; today is not among them. Where the zone's
 * midnight is no whole hour, the hour around it counts to the day in which it began. */
export function useDays(): UseQueryResult<Answer<Day[]>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const today = toCalendarDate(fromAbsolute(serverNow(), state.timeZone));
  return useQuery({
    queryKey: ["days", state.tenant, state.timeZone, today.toString(), selectionKey(state)] as const,
    enabled: state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const starts = Array.from({ length: DAYS }, (_, back) => today.subtract({ days: DAYS - back }).toDate(state.timeZone).getTime());
      const wanted = { start: starts[0] ?? 0, end: today.toDate(state.timeZone).getTime() };
      const answer = await campaigns.listTimeSeries({ tenantId: state.tenant, range: timeRange(wanted), grain: Grain.DAY, timeZone: state.timeZone, selection: campaignSelection(state), pageSize: POINTS }, { signal });
      const days = new Map<number, Map<string, Sums>>(starts.map((start) => [start, new Map()]));
      for (const { startTime, metrics } of answer.points) {
        const day = days.get(toMs(startTime) ?? 0);
        const currency = metrics?.currency ?? "";
        day?.set(currency, addSums(day.get(currency) ?? NO_SUMS, readSums(metrics?.sums)));
      }
      const first = starts.findIndex((start) => (days.get(start)?.size ?? 0) > 0);
      const value = starts.slice(first < 0 ? starts.length : first + 1).map((start) => ({ start, groups: [...(days.get(start) ?? [])].map(([currency, sums]) => ({ currency, sums })) }));
      const parameters = { ...rangeParameters(wanted), ...selectionParameters(state), grain: "day", time_zone: state.timeZone, page_size: POINTS };
      return { value, provenance: readProvenance(answer.freshness), span: wanted, files: [{ chart: "time-series", subject: "campaigns", parameters }] as const };
    },
  });
}
