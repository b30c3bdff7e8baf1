/** Attribution: credit by model, and one conversion explained. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { CreditDimension, type AttributedConversion, type AttributionTotals } from "../gen/tributary/v1/attribution_pb";
import { useDashboardState, type Model } from "../filters/search-state";
import { words } from "../language/words";
import { keepFor, type Answer, type Split } from "./campaign-queries";
import { rangeParameters } from "./export";
import { readProvenance } from "./freshness";
import { useRights } from "./rights";
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
  const may = useRights().view("attribution");
  return useQuery({
    queryKey: ["credit", state.tenant, rangeKey(state), model, by] as const,
    enabled: may && state.tenant !== "",
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
      const files = [{ chart: "attribution", subject: "attribution", parameters: { ...rangeParameters(wanted), model, group_by: by, page_size: GROUPS } }] as const;
      return { value: { credits, totals: answer.totals }, provenance: readProvenance(answer.freshness), span: wanted, files };
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

export const modelName = (model: Model): string => words.models[model].name;
export const modelRule = (model: Model): string => words.models[model].rule;
