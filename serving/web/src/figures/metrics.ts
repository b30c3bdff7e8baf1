/** The metrics and KPIs that the page shows: their names, units, and how they follow from sums. Named as in docs/glossary.md. */
import type { Kpis, MetricSums } from "../gen/tributary/v1/campaign_metrics_pb";
import { words } from "../language/words";

/** Sums of one group. Money is in micros of one currency; sums of different currencies are never added. */
export interface Sums {
  impressions: bigint;
  clicks: bigint;
  conversions: bigint;
  costMicros: bigint;
  revenueMicros: bigint;
  events: bigint;
}

export type MetricId =
  | "revenue"
  | "spend"
  | "roas"
  | "conversions"
  | "clicks"
  | "impressions"
  | "ctr"
  | "conversion_rate"
  | "cpc"
  | "cpa"
  | "score";

/** How a value is written: money in micros, a whole number, a fraction as per cent, a plain ratio, or points of 100. */
export type Unit = "money" | "count" | "share" | "ratio" | "score";

export interface Metric {
  id: MetricId;
  label: string;
  unit: Unit;
  /** Which direction is an improvement; spend is neither. */
  better: "higher" | "lower" | "neither";
  /** True when the values of parts add up to the value of the whole. */
  additive: boolean;
  definition: string;
}

// The names are read when they are shown: the language is known by then.
const metric = (id: MetricId, unit: Unit, better: Metric["better"], additive: boolean): Metric => ({
  id,
  unit,
  better,
  additive,
  get label() {
    return words.metrics[id].label;
  },
  get definition() {
    return words.metrics[id].definition;
  },
});

export const METRICS: Record<MetricId, Metric> = {
  revenue: metric("revenue", "money", "higher", true),
  spend: metric("spend", "money", "neither", true),
  roas: metric("roas", "ratio", "higher", false),
  conversions: metric("conversions", "count", "higher", true),
  clicks: metric("clicks", "count", "higher", true),
  impressions: metric("impressions", "count", "higher", true),
  ctr: metric("ctr", "share", "higher", false),
  conversion_rate: metric("conversion_rate", "share", "higher", false),
  cpc: metric("cpc", "money", "lower", false),
  cpa: metric("cpa", "money", "lower", false),
  score: metric("score", "score", "higher", false),
};

export const NO_SUMS: Sums = {
  impressions: 0n,
  clicks: 0n,
  conversions: 0n,
  costMicros: 0n,
  revenueMicros: 0n,
  events: 0n,
};

export function readSums(sums: MetricSums | undefined): Sums {
  if (!sums) return NO_SUMS;
  const { impressions, clicks, conversions, costMicros, revenueMicros, events } = sums;
  return { impressions, clicks, conversions, costMicros, revenueMicros, events };
}

export function addSums(a: Sums, b: Sums): Sums {
  return {
    impressions: a.impressions + b.impressions,
    clicks: a.clicks + b.clicks,
    conversions: a.conversions + b.conversions,
    costMicros: a.costMicros + b.costMicros,
    revenueMicros: a.revenueMicros + b.revenueMicros,
    events: a.events + b.events,
  };
}

function ratio(above: bigint, below: bigint): number | undefined {
  return below === 0n ? undefined : Number(above) / Number(below);
}

// Full marks at a CTR of 5 %, a conversion rate of 10 % and a ROAS of 3; a ratio over 0 counts as 0 as long as another is defined.
// As in udfs/kpi.py; needed where sums are added up here.
function score(sums: Sums): number | undefined {
  const ctr = ratio(sums.clicks, sums.impressions);
  const conversionRate = ratio(sums.conversions, sums.clicks);
  const roas = ratio(sums.revenueMicros, sums.costMicros);
  if (ctr === undefined && conversionRate === undefined && roas === undefined) return undefined;
  const part = (value: number | undefined, full: number) => Math.min((value ?? 0) / full, 1);
  return 100 * (0.3 * part(ctr, 0.05) + 0.3 * part(conversionRate, 0.1) + 0.4 * part(roas, 3));
}

/** The name where room is scarce, such as the head of a column. */
export function shortName({ id }: Metric): string {
  return words.metrics[id].short;
}

/** The name within a sentence: abbreviations keep their capitals. */
export function nameInText({ id }: Metric): string {
  return words.metrics[id].inText;
}

/** Value of a metric over sums; undefined when its denominator is 0. Money in micros. The server's KPIs win where they are given. */
export function valueOf(id: MetricId, sums: Sums, kpis?: Kpis): number | undefined {
  switch (id) {
    case "revenue":
      return Number(sums.revenueMicros);
    case "spend":
      return Number(sums.costMicros);
    case "conversions":
      return Number(sums.conversions);
    case "clicks":
      return Number(sums.clicks);
    case "impressions":
      return Number(sums.impressions);
    case "roas":
      return kpis ? kpis.roas : ratio(sums.revenueMicros, sums.costMicros);
    case "ctr":
      return kpis ? kpis.ctr : ratio(sums.clicks, sums.impressions);
    case "conversion_rate":
      return kpis ? kpis.conversionRate : ratio(sums.conversions, sums.clicks);
    case "cpc":
      return kpis ? kpis.cpcMicros : ratio(sums.costMicros, sums.clicks);
    case "cpa":
      return kpis ? kpis.cpaMicros : ratio(sums.costMicros, sums.conversions);
    case "score":
      return kpis ? kpis.performanceScore : score(sums);
  }
}
