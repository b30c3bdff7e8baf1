/** Attribution: credit by model, and one conversion explained. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { CreditDimension, type AttributedConversion, type AttributionTotals } from "../gen/tributary/v1/attribution_pb";
import { useDashboardState, type Model } from "../filters/search-state";
import { keepFor, type Answer, type Split } from "./campaign-queries";
import { readProvenance } from "./freshness";
import { rangeKey, refreshMs, span, timeRange, useRefresh } from "./selection";
import { attribution } from "./services";

export interface Credit {
  channel: string;
  campaign: string;
  currency: string;
  /** Sum of weights: the conversions that the group earned. */
  conversions: number;
  micros: bigint;
}

export interface Summary {
  credits: Credit[];
  totals: AttributionTotals[];
}

const BY: Record<Split, CreditDimension> = { campaign: CreditDimension.CAMPAIGN, channel: CreditDimension.CHANNEL };
const GROUPS = 1_000;

/** Credit of the range by one model. Filters of channel and campaign do not apply: credit is shared by all touches of a conversion. */
export function useCredit(model: Model, by: Split): UseQueryResult<Answer<Summary>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  return useQuery({
    queryKey: ["credit", state.tenant, rangeKey(state), model, by] as const,
    enabled: state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const request = { tenantId: state.tenant, range: timeRange(wanted), model, groupBy: [BY[by]], pageSize: GROUPS };
      const answer = await attribution.getAttributionSummary(request, { signal });
      const credits = answer.credits.map(({ channel, campaignId, currency, creditedConversions, creditedMicros }) => ({
        channel,
        campaign: campaignId,
        currency,
        conversions: creditedConversions,
        micros: creditedMicros,
      }));
      return { value: { credits, totals: answer.totals }, provenance: readProvenance(answer.freshness), span: wanted };
    },
  });
}

export function useConversion(id: string | undefined): UseQueryResult<Answer<AttributedConversion | undefined>> {
  const { tenant } = useDashboardState();
  return useQuery({
    queryKey: ["conversion", tenant, id] as const,
    enabled: tenant !== "" && id !== undefined,
    // Held while the page is open only: it names a customer.
    gcTime: 60_000,
    queryFn: async ({ signal }) => {
      const answer = await attribution.explainConversion({ tenantId: tenant, conversionId: id ?? "" }, { signal });
      return { value: answer.conversion, provenance: readProvenance(answer.freshness), span: { start: 0, end: 0 } };
    },
  });
}

export const MODEL_NAMES: Record<Model, string> = {
  first_touch: "First touch",
  last_touch: "Last touch",
  last_non_direct: "Last non-direct",
  linear: "Linear",
  time_decay: "Time decay",
  position_based: "Position based",
};

export const MODEL_RULES: Record<Model, string> = {
  first_touch: "All credit to the first touch",
  last_touch: "All credit to the last touch",
  last_non_direct: "All credit to the last touch that was not direct",
  linear: "The same credit to every touch",
  time_decay: "More credit to touches closer to the conversion",
  position_based: "40 % to the first, 40 % to the last, 20 % to those between",
};
