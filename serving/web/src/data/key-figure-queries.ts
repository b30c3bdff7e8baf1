/** One figure a metric with the one before it, as the server keeps them by cadence. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { Cadence, Metric as MetricMessage, type KeyFigure } from "../gen/tributary/v1/campaign_metrics_pb";
import type { MetricId } from "../figures/metrics";
import { useDashboardState } from "../filters/search-state";
import { covered, keepFor, type Answer } from "./campaign-queries";
import { selectionParameters } from "./export";
import { readProvenance } from "./freshness";
import { campaignSelection, selectionKey } from "./selection";
import { campaigns } from "./services";

export const CADENCES = ["realtime", "hourly", "daily", "weekly"] as const;
export type CadenceId = (typeof CADENCES)[number];

const MESSAGES: Record<CadenceId, Cadence> = { realtime: Cadence.REALTIME, hourly: Cadence.HOURLY, daily: Cadence.DAILY, weekly: Cadence.WEEKLY };
// As long as the server gives the same figures again, in ms.
const KEPT_MS: Record<CadenceId, number> = { realtime: 5_000, hourly: 60_000, daily: 300_000, weekly: 900_000 };
export const METRIC_OF: Partial<Record<MetricMessage, MetricId>> = {
  [MetricMessage.REVENUE]: "revenue",
  [MetricMessage.COST]: "spend",
  [MetricMessage.ROAS]: "roas",
  [MetricMessage.CONVERSIONS]: "conversions",
  [MetricMessage.CLICKS]: "clicks",
  [MetricMessage.IMPRESSIONS]: "impressions",
  [MetricMessage.CTR]: "ctr",
  [MetricMessage.CONVERSION_RATE]: "conversion_rate",
  [MetricMessage.CPC]: "cpc",
  [MetricMessage.CPA]: "cpa",
  [MetricMessage.PERFORMANCE_SCORE]: "score",
};

export function useKeyFigures(cadence: CadenceId): UseQueryResult<Answer<KeyFigure[]>> {
  const state = useDashboardState();
  return useQuery({
    queryKey: ["key-figures", state.tenant, cadence, selectionKey(state)] as const,
    enabled: state.tenant !== "",
    refetchInterval: KEPT_MS[cadence],
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const answer = await campaigns.listKeyFigures({ tenantId: state.tenant, cadence: MESSAGES[cadence], selection: campaignSelection(state) }, { signal });
      const files = [{ chart: "key-figures", subject: "campaigns", parameters: { cadence, ...selectionParameters(state) } }] as const;
      const now = Date.now();
      return { value: answer.figures, provenance: readProvenance(answer.freshness), span: covered(answer.coveredRange, { start: now, end: now }), files };
    },
  });
}
