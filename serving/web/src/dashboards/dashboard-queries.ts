/** Custom dashboards as the server keeps them: read, changed, and what a conflict says. */
import { Code, ConnectError } from "@connectrpc/connect";
import { useMutation, useQuery, useQueryClient, type UseMutationResult, type UseQueryResult } from "@tanstack/react-query";
import type { Dashboard, DashboardVersion } from "../gen/tributary/v1/dashboards_pb";
import { dashboards } from "../data/services";
import { useDashboardState } from "../filters/search-state";
import { writeLayout, type Draft } from "./draft";

const MOST_LISTED = 200;
// Others may change what they share, and what the browser kept may be older than what was saved last: a page that is
// opened always asks.
const FRESH_MS = 0;

export interface Listed {
  dashboards: Dashboard[];
  mayCreate: boolean;
  more: boolean;
}

export function useDashboards(): UseQueryResult<Listed> {
  const { tenant } = useDashboardState();
  return useQuery({
    queryKey: ["dashboards", tenant] as const,
    staleTime: FRESH_MS,
    queryFn: async ({ signal }) => {
      const answer = await dashboards.listDashboards({ tenantId: tenant, pageSize: MOST_LISTED }, { signal });
      return { dashboards: answer.dashboards, mayCreate: answer.mayCreate, more: answer.nextPageToken !== "" };
    },
  });
}

export function useDashboard(id: string): UseQueryResult<Dashboard> {
  const { tenant } = useDashboardState();
  return useQuery({
    queryKey: ["dashboard", tenant, id] as const,
    staleTime: FRESH_MS,
    queryFn: async ({ signal }) => given((await dashboards.getDashboard({ tenantId: tenant, dashboardId: id }, { signal })).dashboard),
  });
}

export function useVersions(id: string, wanted: boolean): UseQueryResult<DashboardVersion[]> {
  const { tenant } = useDashboardState();
  return useQuery({
    queryKey: ["dashboard versions", tenant, id] as const,
    enabled: wanted,
    queryFn: async ({ signal }) => (await dashboards.listDashboardVersions({ tenantId: tenant, dashboardId: id }, { signal })).versions,
  });
}

function given(dashboard: Dashboard | undefined): Dashboard {
  if (!dashboard) throw new ConnectError("the answer has no dashboard", Code.Internal);
  return dashboard;
}

export type Change =
  | { kind: "create"; draft: Draft }
  | { kind: "update"; id: string; expectedVersion: number; draft: Draft }
  | { kind: "duplicate"; id: string }
  | { kind: "share"; id: string; roles: string[] }
  | { kind: "restore"; id: string; version: number; expectedVersion: number }
  | { kind: "delete"; id: string; expectedVersion: number };

/** Makes a change and lets every list and page know; the answer is the dashboard, or nothing when it was deleted. */
export function useChange(): UseMutationResult<Dashboard | undefined, Error, Change> {
  const { tenant } = useDashboardState();
  const client = useQueryClient();
  return useMutation({
    mutationFn: (change: Change) => send(tenant, change),
    onSuccess: async (dashboard, change) => {
      // A shared answer has no layout, which the page that shows it needs.
      if (dashboard?.layout) client.setQueryData(["dashboard", tenant, dashboard.dashboardId], dashboard);
      else if (dashboard) await client.invalidateQueries({ queryKey: ["dashboard", tenant, dashboard.dashboardId] });
      if (change.kind === "delete") client.removeQueries({ queryKey: ["dashboard", tenant, change.id] });
      await Promise.all([
        client.invalidateQueries({ queryKey: ["dashboards", tenant] }),
        client.invalidateQueries({ queryKey: ["dashboard versions", tenant] }),
      ]);
    },
  });
}

async function send(tenantId: string, change: Change): Promise<Dashboard | undefined> {
  switch (change.kind) {
    case "create":
      return given((await dashboards.createDashboard({ tenantId, title: change.draft.title, layout: writeLayout(change.draft) })).dashboard);
    case "update": {
      const { id: dashboardId, expectedVersion, draft } = change;
      return given((await dashboards.updateDashboard({ tenantId, dashboardId, expectedVersion, title: draft.title, layout: writeLayout(draft) })).dashboard);
    }
    case "duplicate":
      return given((await dashboards.duplicateDashboard({ tenantId, dashboardId: change.id })).dashboard);
    case "share":
      return given((await dashboards.shareDashboard({ tenantId, dashboardId: change.id, roles: change.roles })).dashboard);
    case "restore": {
      const { id: dashboardId, version, expectedVersion } = change;
      return given((await dashboards.restoreDashboard({ tenantId, dashboardId, version, expectedVersion })).dashboard);
    }
    case "delete":
      await dashboards.deleteDashboard({ tenantId, dashboardId: change.id, expectedVersion: change.expectedVersion });
      return undefined;
  }
}

/** True when somebody else has changed the dashboard since it was read. */
export const isConflict = (error: unknown): boolean => ConnectError.from(error).code === Code.Aborted;
