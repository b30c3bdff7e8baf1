/** Alerts of a range, counts of records, the age of each stage's figures, and whether the stores answer. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { Alert, Anomaly } from "../gen/tributary/v1/alerts_pb";
import type { GetCountsResponse, GetQualityResponse, StageFreshness } from "../gen/tributary/v1/quality_pb";
import { useDashboardState } from "../filters/search-state";
import { keepFor, type Answer } from "./campaign-queries";
import { rangeParameters, selectionParameters } from "./export";
import { readProvenance } from "./freshness";
import { useRights } from "./rights";
import { rangeKey, refreshMs, selectionKey, span, timeRange, useRefresh } from "./selection";
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
      const campaign = state.campaigns.length ? { filter: state.campaigns.map((id) => `campaign = ${JSON.stringify(id)}`).join(" OR ") } : {};
      const files = [{ chart: "alerts", subject: "campaigns", parameters: { ...rangeParameters(wanted), ...campaign, page_size: ALERTS } }] as const;
      return { value: answer.alerts, provenance: readProvenance(answer.freshness), span: wanted, files };
    },
  });
}

export function useCounts(): UseQueryResult<Answer<GetCountsResponse>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const may = useRights().view("operations");
  return useQuery({
    queryKey: ["counts", state.tenant, rangeKey(state)] as const,
    enabled: may && state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const answer = await quality.getCounts({ tenantId: state.tenant, range: timeRange(wanted) }, { signal });
      const files = [{ chart: "counts", subject: "operations", parameters: rangeParameters(wanted) }] as const;
      return { value: answer, provenance: readProvenance(answer.freshness), span: wanted, files };
    },
  });
}

/** Shares of what came in and of what is attributed. */
export function useQuality(): UseQueryResult<Answer<GetQualityResponse>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const may = useRights().view("operations");
  return useQuery({
    queryKey: ["quality", state.tenant, rangeKey(state)] as const,
    enabled: may && state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const answer = await quality.getQuality({ tenantId: state.tenant, range: timeRange(wanted) }, { signal });
      const files = [{ chart: "quality", subject: "operations", parameters: rangeParameters(wanted) }] as const;
      return { value: answer, provenance: readProvenance(answer.freshness), span: wanted, files };
    },
  });
}

/** Values far from their baseline, newest first, of the selected campaigns and channels. */
export function useAnomalies(): UseQueryResult<Answer<Anomaly[]>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  return useQuery({
    queryKey: ["anomalies", state.tenant, rangeKey(state), selectionKey(state)] as const,
    enabled: state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const filter = selectionParameters(state).filter ?? "";
      const answer = await alerts.listAnomalies({ tenantId: state.tenant, range: timeRange(wanted), filter, pageSize: ALERTS }, { signal });
      const parameters = { ...rangeParameters(wanted), ...(filter && { filter }), page_size: ALERTS };
      const files = [{ chart: "anomalies", subject: "campaigns", parameters }] as const;
      return { value: answer.anomalies, provenance: readProvenance(answer.freshness), span: wanted, files };
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
      const files = [{ chart: "freshness", subject: "campaigns", parameters: {} }] as const;
      return { value: answer.stages, provenance: readProvenance(answer.freshness), span: { start: 0, end: 0 }, files };
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
