/** Alerts of a range, counts of records, the age of each stage's figures, and whether the stores answer. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { Alert } from "../gen/tributary/v1/alerts_pb";
import type { GetCountsResponse, StageFreshness } from "../gen/tributary/v1/quality_pb";
import { useDashboardState } from "../filters/search-state";
import { keepFor, type Answer } from "./campaign-queries";
import { readProvenance } from "./freshness";
import { rangeKey, refreshMs, span, timeRange, useRefresh } from "./selection";
import { alerts, quality } from "./services";

const ALERTS = 200;

export function useAlertHistory(): UseQueryResult<Answer<Alert[]>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  return useQuery({
    queryKey: ["alerts", state.tenant, rangeKey(state), state.campaigns.join("\n")] as const,
    enabled: state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const selection = { campaignIds: state.campaigns };
      const request = { tenantId: state.tenant, range: timeRange(wanted), selection, pageSize: ALERTS };
      const answer = await alerts.listAlerts(request, { signal });
      return { value: answer.alerts, provenance: readProvenance(answer.freshness), span: wanted };
    },
  });
}

export function useCounts(): UseQueryResult<Answer<GetCountsResponse>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  return useQuery({
    queryKey: ["counts", state.tenant, rangeKey(state)] as const,
    enabled: state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const answer = await quality.getCounts({ tenantId: state.tenant, range: timeRange(wanted) }, { signal });
      return { value: answer, provenance: readProvenance(answer.freshness), span: wanted };
    },
  });
}

export function useStageFreshness(): UseQueryResult<Answer<StageFreshness[]>> {
  const { tenant } = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  return useQuery({
    queryKey: ["stages", tenant] as const,
    enabled: tenant !== "",
    refetchInterval,
    queryFn: async ({ signal }) => {
      const answer = await quality.getFreshness({ tenantId: tenant }, { signal });
      return { value: answer.stages, provenance: readProvenance(answer.freshness), span: { start: 0, end: 0 } };
    },
  });
}

/** What /readyz says. */
export interface Readiness {
  ready: boolean;
  history: boolean;
  hot_store: boolean;
  draining: boolean;
}

const READY_POLL_MS = 15_000;

export function useReadiness(): UseQueryResult<Readiness> {
  return useQuery({
    queryKey: ["readiness", ""] as const,
    refetchInterval: READY_POLL_MS,
    retry: false,
    queryFn: async ({ signal }) => {
      const response = await fetch("/readyz", { signal });
      return (await response.json()) as Readiness;
    },
  });
}
