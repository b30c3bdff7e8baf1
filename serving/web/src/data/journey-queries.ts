/** Journeys: the funnel of their stages, cohorts of those that began in one week, and single ones. */
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { fromAbsolute, startOfWeek, toCalendarDate } from "@internationalized/date";
import { JourneyStage, type FunnelStage, type GetJourneyResponse } from "../gen/tributary/v1/journeys_pb";
import { useDashboardState } from "../filters/search-state";
import { words } from "../language/words";
import { keepFor, type Answer } from "./campaign-queries";
import { rangeParameters } from "./export";
import { readProvenance, type Provenance } from "./freshness";
import { useRights } from "./rights";
import { rangeKey, refreshMs, span, timeRange, useRefresh } from "./selection";
import { serverNow } from "./server-clock";
import { journeys } from "./services";

const NAMES: Partial<Record<JourneyStage, keyof typeof words.stages>> = {
  [JourneyStage.AWARENESS]: "awareness",
  [JourneyStage.CONSIDERATION]: "consideration",
  [JourneyStage.INTENT]: "intent",
  [JourneyStage.PURCHASE]: "purchase",
  [JourneyStage.RETENTION]: "retention",
  [JourneyStage.ADVOCACY]: "advocacy",
};

export function stageName(stage: JourneyStage): string {
  const name = NAMES[stage];
  return name ? words.stages[name] : words.common.unknown;
}

export function useJourneyFunnel(): UseQueryResult<Answer<FunnelStage[]>> {
  const state = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const may = useRights().view("attribution");
  return useQuery({
    queryKey: ["journey-funnel", state.tenant, rangeKey(state)] as const,
    enabled: may && state.tenant !== "",
    refetchInterval,
    placeholderData: keepFor(state.tenant),
    queryFn: async ({ signal }) => {
      const wanted = span(state, "now");
      const answer = await journeys.getFunnel({ tenantId: state.tenant, range: timeRange(wanted) }, { signal });
      const files = [{ chart: "funnel", subject: "attribution", parameters: rangeParameters(wanted) }] as const;
      return { value: answer.stages, provenance: readProvenance(answer.freshness), span: wanted, files };
    },
  });
}

export interface Cohort {
  /** Start of the week, UTC ms. */
  week: number;
  stages: FunnelStage[];
}

const WEEKS = 8;

/** The last eight weeks of the chosen time zone, Monday first, the newest last. */
function weeks(timeZone: string): { start: number; end: number }[] {
  const now = serverNow();
  const monday = startOfWeek(toCalendarDate(fromAbsolute(now, timeZone)), "en-GB", "mon");
  return Array.from({ length: WEEKS }, (_, index) => {
    const first = monday.subtract({ weeks: WEEKS - 1 - index });
    return { start: first.toDate(timeZone).getTime(), end: Math.min(first.add({ weeks: 1 }).toDate(timeZone).getTime(), now) };
  }).filter(({ start, end }) => end - start >= SHORTEST_RANGE_MS);
}

// The server's shortest range: a week that began this moment has no figures yet.
const SHORTEST_RANGE_MS = 5_000;

/** One funnel a week. The age and revision are those of the least fresh of them. */
export function useCohorts(): UseQueryResult<Answer<Cohort[]>> {
  const { tenant, timeZone } = useDashboardState();
  const refetchInterval = refreshMs(useRefresh());
  const may = useRights().view("attribution");
  return useQuery({
    queryKey: ["cohorts", tenant, timeZone] as const,
    enabled: may && tenant !== "",
    refetchInterval,
    placeholderData: keepFor(tenant),
    queryFn: async ({ signal }) => {
      const wanted = weeks(timeZone);
      const answers = await Promise.all(wanted.map((range) => journeys.getFunnel({ tenantId: tenant, range: timeRange(range) }, { signal })));
      const value = answers.map(({ stages }, index) => ({ week: wanted[index]?.start ?? 0, stages }));
      const files = wanted.map((range) => ({ chart: "funnel", subject: "attribution" as const, parameters: rangeParameters(range) }));
      const provenance = together(answers.map(({ freshness }) => readProvenance(freshness)));
      return { value, provenance, span: { start: wanted[0]?.start ?? 0, end: serverNow() }, files };
    },
  });
}

function together(all: Provenance[]): Provenance {
  const [first, ...others] = all;
  if (!first) return readProvenance(undefined);
  return others.reduce(
    (sum, next) => ({
      ...(next.degraded && !sum.degraded ? next : sum),
      through: next.through === undefined ? sum.through : Math.max(sum.through ?? 0, next.through),
      revision: next.revision > sum.revision ? next.revision : sum.revision,
      ageMs: Math.max(sum.ageMs, next.ageMs),
    }),
    first,
  );
}

/** One journey with its events, at most a page of them. */
export function useJourney(customer: string | undefined, journey: string | undefined): UseQueryResult<Answer<GetJourneyResponse>> {
  const { tenant } = useDashboardState();
  const may = useRights().view("detail");
  return useQuery({
    queryKey: ["journey", tenant, customer, journey] as const,
    enabled: may && tenant !== "" && customer !== undefined && journey !== undefined,
    gcTime: 60_000,
    queryFn: async ({ signal }) => {
      const answer = await journeys.getJourney({ tenantId: tenant, customerId: customer ?? "", journeyId: journey ?? "" }, { signal });
      const files = [{ chart: "journey", subject: "detail", parameters: { customer_id: customer ?? "", journey_id: journey ?? "" } }] as const;
      return { value: answer, provenance: readProvenance(answer.freshness), span: { start: 0, end: 0 }, files };
    },
  });
}
