/** The widgets that a custom dashboard can show. A new kind: an entry here, its name in `language/english-boards.ts`, and its line in
 * `serving/handlers/widget_kinds.py`, which decides what the server accepts; a test holds the two against each other. `show` gets a width only because the frame asks for one:
 * the grid of the dashboard decides. They are loaded with the first that is shown. */
import { lazy, type ReactNode } from "react";
import type { MetricId } from "../figures/metrics";
import { Note } from "./note";
import type * as shownWidgets from "./shown-widgets";

type Widgets = typeof shownWidgets;

export type Setting = "metric" | "split" | "most" | "text";

export interface Settings {
  metric?: MetricId | undefined;
  split?: "channel" | undefined;
  most?: number | undefined;
  text?: string | undefined;
}

export interface WidgetKind {
  /** Columns and rows of a new one. */
  size: readonly [width: number, height: number];
  required: readonly Setting[];
  optional: readonly Setting[];
  /** Only metrics whose parts add up can be shown. */
  addsUp?: true;
  show: (settings: Settings) => ReactNode;
}

/** A widget of this name, loaded with all the others when the first is shown: they share most of what they are made of. */
function shown<K extends keyof Widgets>(name: K) {
  return lazy(async (): Promise<{ default: Widgets[K] }> => ({ default: (await import("./shown-widgets"))[name] }));
}

const KpiCard = shown("KpiCard");
const Trend = shown("Trend");
const StackedBars = shown("StackedBars");
const Donut = shown("Donut");
const TopCampaigns = shown("TopCampaigns");
const CampaignTable = shown("CampaignTable");
const Heatmap = shown("Heatmap");
const Funnel = shown("Funnel");
const ScoreGauge = shown("ScoreGauge");
const AttributionModels = shown("AttributionModels");
const LiveConversions = shown("LiveConversions");
const AlertTimeline = shown("AlertTimeline");
const Pulse = shown("Pulse");
const CurrentWindows = shown("CurrentWindows");
const RecordCounts = shown("RecordCounts");
const Stages = shown("Stages");
const Stores = shown("Stores");
const QuarantineGauge = shown("QuarantineGauge");
const QuarantineReasons = shown("QuarantineReasons");
const KeyFigures = shown("KeyFigures");
const ForecastLine = shown("ForecastLine");
const DrillDown = shown("DrillDown");
const Correlation = shown("Correlation");
const JourneyFunnel = shown("JourneyFunnel");
const Cohort = shown("Cohort");
const ConversionList = shown("ConversionList");
const AttributionComparison = shown("AttributionComparison");
const Anomalies = shown("Anomalies");
const DataQuality = shown("DataQuality");
const Places = shown("Places");

const metricOf = ({ metric }: Settings): MetricId => metric ?? "revenue";

const KINDS = {
  kpi: {
    size: [3, 4],
    required: ["metric"],
    optional: [],
    show: (settings) => <KpiCard id={metricOf(settings)} />,
  },
  trend: {
    size: [8, 8],
    required: [],
    optional: ["metric", "split"],
    show: ({ metric, split }) => <Trend width={12} {...(metric && { fixed: metric })} {...(split && { by: split })} />,
  },
  stacked_bars: {
    size: [6, 8],
    required: ["metric"],
    optional: [],
    addsUp: true,
    show: (settings) => <StackedBars id={metricOf(settings)} width={12} />,
  },
  donut: {
    size: [4, 8],
    required: ["metric"],
    optional: [],
    addsUp: true,
    show: (settings) => <Donut id={metricOf(settings)} width={12} />,
  },
  top_campaigns: {
    size: [4, 8],
    required: ["metric"],
    optional: ["most"],
    show: ({ metric, most }) => <TopCampaigns id={metric ?? "revenue"} width={12} {...(most && { most })} />,
  },
  campaign_table: {
    size: [12, 12],
    required: [],
    optional: [],
    show: () => <CampaignTable width={12} />,
  },
  heatmap: {
    size: [7, 8],
    required: ["metric"],
    optional: [],
    show: (settings) => <Heatmap id={metricOf(settings)} width={12} />,
  },
  funnel: {
    size: [4, 8],
    required: [],
    optional: [],
    show: () => <Funnel width={12} />,
  },
  score_gauge: {
    size: [4, 8],
    required: [],
    optional: [],
    show: () => <ScoreGauge width={12} />,
  },
  attribution_models: {
    size: [12, 12],
    required: [],
    optional: [],
    show: () => <AttributionModels width={12} />,
  },
  live_conversions: {
    size: [12, 9],
    required: [],
    optional: [],
    show: () => <LiveConversions width={12} />,
  },
  alert_timeline: {
    size: [6, 8],
    required: [],
    optional: [],
    show: () => <AlertTimeline width={12} />,
  },
  pulse: {
    size: [12, 4],
    required: [],
    optional: [],
    show: () => <Pulse width={12} />,
  },
  current_windows: {
    size: [8, 10],
    required: [],
    optional: [],
    show: () => <CurrentWindows width={12} />,
  },
  record_counts: {
    size: [12, 5],
    required: [],
    optional: [],
    show: () => <RecordCounts width={12} />,
  },
  stages: {
    size: [4, 7],
    required: [],
    optional: [],
    show: () => <Stages width={12} />,
  },
  stores: {
    size: [4, 7],
    required: [],
    optional: [],
    show: () => <Stores width={12} />,
  },
  quarantine_gauge: {
    size: [4, 7],
    required: [],
    optional: [],
    show: () => <QuarantineGauge width={12} />,
  },
  quarantine_reasons: {
    size: [6, 8],
    required: [],
    optional: [],
    show: () => <QuarantineReasons width={12} />,
  },
  key_figures: {
    size: [12, 6],
    required: [],
    optional: [],
    show: () => <KeyFigures width={12} />,
  },
  forecast_line: {
    size: [12, 8],
    required: ["metric"],
    optional: [],
    addsUp: true,
    show: (settings) => <ForecastLine id={metricOf(settings)} width={12} />,
  },
  drill_down: {
    size: [6, 8],
    required: [],
    optional: [],
    show: () => <DrillDown width={12} />,
  },
  correlation: {
    size: [6, 9],
    required: [],
    optional: [],
    show: () => <Correlation width={12} />,
  },
  journey_funnel: {
    size: [4, 8],
    required: [],
    optional: [],
    show: () => <JourneyFunnel width={12} />,
  },
  cohort: {
    size: [8, 9],
    required: [],
    optional: [],
    show: () => <Cohort width={12} />,
  },
  conversion_list: {
    size: [12, 10],
    required: [],
    optional: [],
    show: () => <ConversionList width={12} />,
  },
  attribution_comparison: {
    size: [12, 9],
    required: [],
    optional: [],
    show: () => <AttributionComparison width={12} />,
  },
  anomalies: {
    size: [6, 7],
    required: [],
    optional: [],
    show: () => <Anomalies width={12} />,
  },
  data_quality: {
    size: [6, 7],
    required: [],
    optional: [],
    show: () => <DataQuality width={12} />,
  },
  place_map: {
    size: [6, 8],
    required: [],
    optional: [],
    show: () => <Places width={12} />,
  },
  note: {
    size: [4, 4],
    required: ["text"],
    optional: [],
    show: ({ text }) => <Note text={text ?? ""} />,
  },
} satisfies Record<string, WidgetKind>;

export type KindId = keyof typeof KINDS;

export const WIDGET_KINDS: Readonly<Record<KindId, WidgetKind>> = KINDS;
export const KIND_IDS = Object.keys(KINDS) as KindId[];

export function isKind(name: string): name is KindId {
  return Object.hasOwn(KINDS, name);
}
