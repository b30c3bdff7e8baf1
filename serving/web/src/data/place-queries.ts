/** Where the journeys of the range began. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import type { ListPlacesResponse } from "../gen/tributary/v1/journeys_pb";
import { useDashboardState } from "../filters/search-state";
import { keepFor, type Answer } from "./campaign-queries";
import { rangeParameters } from "./export";
import { readProvenance } from "./freshness";
import { useRights } from "./rights";
import { rangeKey, refreshMs, span, timeRange, useRefresh } from "./selection";
import { journeys } from "./services";

export function usePlaces(): UseQueryResult<Answer<ListPlacesResponse>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const may = useRights().view("attribution");
  return useQuery({
    queryKey: ["places", state.tenant, rangeKey(state)] as const,
    enabled: may && state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const answer = await journeys.listPlaces({ tenantId: state.tenant, range: timeRange(wanted) }, { signal });
      const files = [{ chart: "places", subject: "attribution", parameters: rangeParameters(wanted) }] as const;
      return { value: answer, provenance: readProvenance(answer.freshness), span: wanted, files };
    },
  });
}
