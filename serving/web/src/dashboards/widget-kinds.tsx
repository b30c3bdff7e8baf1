/** The widgets that a custom dashboard can show. A new kind: an entry here, and its line in `serving/handlers/widget_kinds.py`, which
 * decides what the server accepts; a test holds the two against each other. `show` gets a width only because the frame asks for one:
 * the grid of the dashboard decides. Each is loaded when it is shown first. */
import { lazy, type ReactNode } from "react";
import type { MetricId } from "../figures/metrics";
import { Note } from "./note";

export type Setting = "metric" | "split" | "most" | "text";

export interface Settings {
  metric?: MetricId | undefined;
  split?: "channel" | undefined;
  most?: number | undefined;
  text?: string | undefined;
}

export interface WidgetKind {
  name: string;
  purpose: string;
  /** Columns and rows of a new one. */
  size: readonly [width: number, height: number];
  required: readonly Setting[];
  optional: readonly Setting[];
  show: (settings: Settings) => ReactNode;
}

const KpiCard = lazy(async () => ({ default: (await import("../widgets/kpi-card")).KpiCard }));
const Trend = lazy(async () => ({ default: (await import("../widgets/trend")).Trend }));
const StackedBars = lazy(async () => ({ default: (await import("../widgets/stacked-bars")).StackedBars }));
const Donut = lazy(async () => ({ default: (await import("../widgets/donut")).Donut }));
const TopCampaigns = lazy(async () => ({ default: (await import("../widgets/top-campaigns")).TopCampaigns }));
const CampaignTable = lazy(async () => ({ default: (await import("../widgets/campaign-table")).CampaignTable }));
const Heatmap = lazy(async () => ({ default: (await import("../widgets/heatmap")).Heatmap }));
const Funnel = lazy(async () => ({ default: (await import("../widgets/funnel")).Funnel }));
const ScoreGauge = lazy(async () => ({ default: (await import("../widgets/score-gauge")).ScoreGauge }));
const AttributionModels = lazy(async () => ({ default: (await import("../widgets/attribution-models")).AttributionModels }));
const LiveConversions = lazy(async () => ({ default: (await import("../widgets/live-conversions")).LiveConversions }));
const AlertTimeline = lazy(async () => ({ default: (await import("../widgets/alert-timeline")).AlertTimeline }));
const Pulse = lazy(async () => ({ default: (await import("../widgets/current-windows")).Pulse }));
const CurrentWindows = lazy(async () => ({ default: (await import("../widgets/current-windows")).CurrentWindows }));
const RecordCounts = lazy(async () => ({ default: (await import("../widgets/platform")).RecordCounts }));
const Stages = lazy(async () => ({ default: (await import("../widgets/platform")).Stages }));
const Stores = lazy(async () => ({ default: (await import("../widgets/platform")).Stores }));
const QuarantineGauge = lazy(async () => ({ default: (await import("../widgets/platform")).QuarantineGauge }));
const QuarantineReasons = lazy(async () => ({ default: (await import("../widgets/platform")).QuarantineReasons }));

const metricOf = ({ metric }: Settings): MetricId => metric ?? "revenue";

const KINDS = {
  kpi: {
    name: "Key figure",
    purpose: "One metric, its change and its course",
    size: [3, 4],
    required: ["metric"],
    optional: [],
    show: (settings) => <KpiCard id={metricOf(settings)} />,
  },
  trend: {
    name: "Trend",
    purpose: "A metric over time, with the period before or by channel",
    size: [8, 8],
    required: [],
    optional: ["metric", "split"],
    show: ({ metric, split }) => <Trend width={12} {...(metric && { fixed: metric })} {...(split && { by: split })} />,
  },
  stacked_bars: {
    name: "Stacked bars",
    purpose: "A metric over time, stacked by channel",
    size: [6, 8],
    required: ["metric"],
    optional: [],
    show: (settings) => <StackedBars id={metricOf(settings)} width={12} />,
  },
  donut: {
    name: "Share by channel",
    purpose: "A metric divided among channels",
    size: [4, 8],
    required: ["metric"],
    optional: [],
    show: (settings) => <Donut id={metricOf(settings)} width={12} />,
  },
  top_campaigns: {
    name: "Top campaigns",
    purpose: "Campaigns in the order of a metric",
    size: [4, 8],
    required: ["metric"],
    optional: ["most"],
    show: ({ metric, most }) => <TopCampaigns id={metric ?? "revenue"} width={12} {...(most && { most })} />,
  },
  campaign_table: {
    name: "Campaign table",
    purpose: "Every campaign with its figures, sorted and paged",
    size: [12, 12],
    required: [],
    optional: [],
    show: () => <CampaignTable width={12} />,
  },
  heatmap: {
    name: "Heatmap",
    purpose: "A metric by weekday and hour",
    size: [7, 8],
    required: ["metric"],
    optional: [],
    show: (settings) => <Heatmap id={metricOf(settings)} width={12} />,
  },
  funnel: {
    name: "Funnel",
    purpose: "From impression to conversion",
    size: [4, 8],
    required: [],
    optional: [],
    show: () => <Funnel width={12} />,
  },
  score_gauge: {
    name: "Performance score",
    purpose: "The score on its scale from 0 to 100",
    size: [4, 8],
    required: [],
    optional: [],
    show: () => <ScoreGauge width={12} />,
  },
  attribution_models: {
    name: "Attribution models",
    purpose: "Credit by channel, models side by side",
    size: [12, 12],
    required: [],
    optional: [],
    show: () => <AttributionModels width={12} />,
  },
  live_conversions: {
    name: "Live conversions",
    purpose: "Conversions as they are attributed",
    size: [12, 9],
    required: [],
    optional: [],
    show: () => <LiveConversions width={12} />,
  },
  alert_timeline: {
    name: "Alerts",
    purpose: "Alerts that were raised and cleared",
    size: [6, 8],
    required: [],
    optional: [],
    show: () => <AlertTimeline width={12} />,
  },
  pulse: {
    name: "Pulse",
    purpose: "What happened in the newest five seconds",
    size: [12, 4],
    required: [],
    optional: [],
    show: () => <Pulse width={12} />,
  },
  current_windows: {
    name: "Active now",
    purpose: "Campaigns with events in the newest five seconds",
    size: [8, 10],
    required: [],
    optional: [],
    show: () => <CurrentWindows width={12} />,
  },
  record_counts: {
    name: "Records",
    purpose: "Records received, valid, quarantined and late",
    size: [12, 5],
    required: [],
    optional: [],
    show: () => <RecordCounts width={12} />,
  },
  stages: {
    name: "Freshness of stages",
    purpose: "How old the newest figure of each stage is",
    size: [4, 7],
    required: [],
    optional: [],
    show: () => <Stages width={12} />,
  },
  stores: {
    name: "Stores",
    purpose: "Whether the stores answer",
    size: [4, 7],
    required: [],
    optional: [],
    show: () => <Stores width={12} />,
  },
  quarantine_gauge: {
    name: "Share quarantined",
    purpose: "Quarantined records of those received",
    size: [4, 7],
    required: [],
    optional: [],
    show: () => <QuarantineGauge width={12} />,
  },
  quarantine_reasons: {
    name: "Reasons of quarantine",
    purpose: "Quarantined records by reason",
    size: [6, 8],
    required: [],
    optional: [],
    show: () => <QuarantineReasons width={12} />,
  },
  note: {
    name: "Note",
    purpose: "Words of your own",
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
