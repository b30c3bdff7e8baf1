/** The campaigns that the range holds, whatever the filters are, for the filter to choose from. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Dimension } from "../gen/tributary/v1/campaign_metrics_pb";
import { rangeKey, span, timeRange } from "../data/selection";
import { keepFor } from "../data/campaign-queries";
import { campaigns } from "../data/services";
import { channelColour, channelName } from "../figures/channels";
import type { Choice } from "./picker";
import { useDashboardState } from "./search-state";

const MOST_CAMPAIGNS = 1_000;
const FIVE_MINUTES = 300_000;

export function useKnownCampaigns(): Choice[] {
  const state = useDashboardState();
  const found = useQuery({
    queryKey: ["known-campaigns", state.tenant, rangeKey(state)] as const,
    enabled: state.tenant !== "",
    staleTime: FIVE_MINUTES,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const request = {
        tenantId: state.tenant,
        range: timeRange(span(state, "now")),
        groupBy: [Dimension.CAMPAIGN, Dimension.CHANNEL],
        pageSize: MOST_CAMPAIGNS,
      };
      const answer = await campaigns.getCampaignMetrics(request, { signal });
      return answer.metrics.map(({ campaignId, channel }) => ({ campaign: campaignId, channel }));
    },
  });
  return useMemo(() => {
    const channels = new Map<string, string>();
    for (const { campaign, channel } of found.data ?? []) channels.set(campaign, channel);
    for (const campaign of state.campaigns) if (!channels.has(campaign)) channels.set(campaign, "");
    return [...channels].map(([id, channel]) => ({
      id,
      label: id,
      note: channel && channelName(channel),
      colour: channel ? channelColour(channel) : undefined,
    }));
  }, [found.data, state.campaigns]);
}
