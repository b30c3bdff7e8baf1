/** Groups in the order of a metric, with their shares and what they were in the period before. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { Comparison, Dimension, type BreakdownRow, type CampaignMetrics } from "../gen/tributary/v1/campaign_metrics_pb";
import { useDashboardState } from "../filters/search-state";
import { covered, keepFor, type Answer, type Split } from "./campaign-queries";
import { rangeParameters } from "./export";
import { readProvenance } from "./freshness";
import { rangeKey, refreshMs, span, timeRange, useRefresh } from "./selection";
import { campaigns } from "./services";

export interface Breakdown {
  rows: BreakdownRow[];
  totals: CampaignMetrics[];
  /** True when there are more groups than were asked for. */
  more: boolean;
}

interface Asked {
  by: Split;
  /** As the server writes it: "cost_micros desc". */
  orderBy: string;
  most: number;
  /** Only these, beside the filters of the page. */
  channel?: string | undefined;
  /** Groups come by currency first: without one, those of another could fill the answer. */
  currency: string | undefined;
  enabled: boolean;
}

const DIMENSIONS: Record<Split, Dimension> = { campaign: Dimension.CAMPAIGN, channel: Dimension.CHANNEL };

export function useBreakdown({ by, orderBy, most, channel, currency, enabled }: Asked): UseQueryResult<Answer<Breakdown>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const channels = channel === undefined ? state.channels : [channel];
  const selection = { campaignIds: by === "channel" ? [] : state.campaigns, channels, currencies: currency ? [currency] : [] };
  return useQuery({
    queryKey: ["breakdown", state.tenant, rangeKey(state), JSON.stringify(selection), by, orderBy, most] as const,
    enabled: enabled && state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const request = { tenantId: state.tenant, range: timeRange(wanted), selection, dimensions: [DIMENSIONS[by]], orderBy, pageSize: most, comparison: Comparison.PRECEDING };
      const answer = await campaigns.getBreakdown(request, { signal });
      const parameters = { ...rangeParameters(wanted), dimensions: by, order_by: orderBy, comparison: "preceding", ...(channels.length && { channel: channels.join() }), ...(currency && { currency }) };
      const files = [{ chart: "breakdown", subject: "campaigns", parameters }] as const;
      const value = { rows: answer.rows, totals: answer.totals, more: answer.nextPageToken !== "" };
      return { value, provenance: readProvenance(answer.freshness), span: covered(answer.coveredRange, wanted), files };
    },
  });
}
