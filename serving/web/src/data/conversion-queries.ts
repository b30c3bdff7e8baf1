/** Conversions of the range, and the same conversions credited in several ways. */
import { Code, ConnectError } from "@connectrpc/connect";
import { useInfiniteQuery, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { CreditDimension, type AttributedConversion, type CompareAttributionResponse } from "../gen/tributary/v1/attribution_pb";
import type { Span } from "../filters/date-range";
import { useDashboardState, writeView, type Model, type View } from "../filters/search-state";
import type { Answer } from "./campaign-queries";
import { rangeParameters } from "./export";
import { readProvenance } from "./freshness";
import { useRights } from "./rights";
import { rangeKey, refreshMs, span, timeRange, useRefresh } from "./selection";
import { attribution, journeys } from "./services";

export const CREDIT_DIMENSIONS = ["channel", "campaign", "source", "creative", "day"] as const;
export type CreditBy = (typeof CREDIT_DIMENSIONS)[number];

const BY: Record<CreditBy, CreditDimension> = {
  channel: CreditDimension.CHANNEL,
  campaign: CreditDimension.CAMPAIGN,
  source: CreditDimension.SOURCE,
  creative: CreditDimension.CREATIVE,
  day: CreditDimension.DAY,
};
const GROUPS = 200;
const PAGE = 50;
const DAY_SECONDS = 86_400;

/** The conversions of the range credited in each of the views. */
export function useComparison(views: readonly View[], by: CreditBy): UseQueryResult<Answer<CompareAttributionResponse>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const may = useRights().view("attribution");
  const named = views.map(writeView).join();
  return useQuery({
    queryKey: ["comparison", state.tenant, rangeKey(state), named, by] as const,
    enabled: may && state.tenant !== "" && views.length >= 2,
    refetchInterval,
    // Columns of other views would stand under the names of these.
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const asked = views.map(({ model, days }) => ({ model, ...(days !== undefined && { lookback: { seconds: BigInt(days * DAY_SECONDS), nanos: 0 } }) }));
      const answer = await attribution.compareAttribution({ tenantId: state.tenant, range: timeRange(wanted), views: asked, groupBy: [BY[by]], pageSize: GROUPS }, { signal });
      const files = [{ chart: "attribution-comparison", subject: "attribution", parameters: { ...rangeParameters(wanted), view: named, group_by: by, page_size: GROUPS } }] as const;
      return { value: answer, provenance: readProvenance(answer.freshness), span: wanted, files };
    },
  });
}

interface Page {
  token: string;
  span: Span;
}

/** Pages of the conversions of the range, the newest first. */
export function useConversions() {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const may = useRights().view("detail");
  return useInfiniteQuery({
    queryKey: ["conversions", state.tenant, rangeKey(state)] as const,
    enabled: may && state.tenant !== "",
    refetchInterval,
    gcTime: 60_000,
    initialPageParam: undefined as Page | undefined,
    getNextPageParam: (last: Answer<{ conversions: AttributedConversion[]; next: string }>): Page | undefined =>
      last.value.next ? { token: last.value.next, span: last.span } : undefined,
    queryFn: async ({ signal, pageParam }) => {
      // A token goes with the range that it was given for; the range's own end moves on with the clock.
      const wanted = pageParam?.span ?? span(state, "now");
      const answer = await attribution.listConversions({ tenantId: state.tenant, range: timeRange(wanted), pageSize: PAGE, pageToken: pageParam?.token ?? "" }, { signal });
      const files = [{ chart: "conversions", subject: "detail", parameters: { ...rangeParameters(wanted), page_size: 500 } }] as const;
      return { value: { conversions: answer.conversions, next: answer.nextPageToken }, provenance: readProvenance(answer.freshness), span: wanted, files };
    },
  });
}

export interface CreativeCredit {
  creative: string;
  currency: string;
  conversions: number;
  micros: bigint;
}

/** Credit of one campaign's touches by their creative. */
export function useCreatives(model: Model, campaign: string | undefined): UseQueryResult<Answer<CreativeCredit[]>> {
  const state = useDashboardState();
  const may = useRights().view("attribution");
  return useQuery({
    queryKey: ["creatives", state.tenant, rangeKey(state), model, campaign] as const,
    enabled: may && state.tenant !== "" && campaign !== undefined,
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const request = { tenantId: state.tenant, range: timeRange(wanted), model, groupBy: [CreditDimension.CAMPAIGN, CreditDimension.CREATIVE], pageSize: 1_000 };
      const answer = await attribution.getAttributionSummary(request, { signal });
      const value = answer.credits
        .filter(({ campaignId }) => campaignId === campaign)
        .map(({ creativeId, currency, creditedConversions, creditedMicros }) => ({ creative: creativeId, currency, conversions: creditedConversions, micros: creditedMicros }));
      const parameters = { ...rangeParameters(wanted), model, group_by: "campaign,creative", page_size: 1_000 };
      return { value, provenance: readProvenance(answer.freshness), span: wanted, files: [{ chart: "attribution", subject: "attribution", parameters }] as const };
    },
  });
}

/** A journey whose events are all gone is none; every other failure is one. */
function absent(error: unknown): undefined {
  if (ConnectError.from(error).code !== Code.NotFound) throw error;
}

/** Conversions that are looked at for their journeys: each journey is a call of its own. */
export const LOOKED_AT = 20;
const NEWEST = 500;

/** Converted journeys of the range with a touch of the campaign's creative, the newest first. */
export function useCreativeJourneys(model: Model, campaign: string | undefined, creative: string | undefined): UseQueryResult<Answer<AttributedConversion[]>> {
  const state = useDashboardState();
  const may = useRights().view("detail");
  return useQuery({
    queryKey: ["drill-journeys", state.tenant, rangeKey(state), model, campaign, creative] as const,
    enabled: may && state.tenant !== "" && campaign !== undefined && creative !== undefined,
    gcTime: 60_000,
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const answer = await attribution.listConversions({ tenantId: state.tenant, range: timeRange(wanted), model, pageSize: NEWEST }, { signal });
      const candidates = answer.conversions
        .filter(({ models }) => models.some(({ touches }) => touches.some(({ campaignId }) => campaignId === campaign)))
        .slice(0, LOOKED_AT);
      const told = await Promise.all(
        candidates.map(({ customerId, journeyId }) => journeys.getJourney({ tenantId: state.tenant, customerId, journeyId }, { signal }).catch(absent)),
      );
      const value = candidates.filter((_, at) => told[at]?.events.some((event) => event.campaignId === campaign && event.creativeId === creative));
      return { value, provenance: readProvenance(answer.freshness), span: wanted };
    },
  });
}

