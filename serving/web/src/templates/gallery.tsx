/** Every kind of widget on one page, thirty in all: to see what there is, to test each in every theme, and to measure a full page. */
import { AlertTimeline } from "../widgets/alert-timeline";
import { Anomalies } from "../widgets/anomalies";
import { AttributionComparison } from "../widgets/attribution-comparison";
import { AttributionModels } from "../widgets/attribution-models";
import { CampaignTable } from "../widgets/campaign-table";
import { Cohort } from "../widgets/cohort";
import { ConversionList } from "../widgets/conversion-list";
import { Correlation } from "../widgets/correlation";
import { CurrentWindows, Pulse } from "../widgets/current-windows";
import { DataQuality } from "../widgets/data-quality";
import { Donut } from "../widgets/donut";
import { DrillDown } from "../widgets/drill-down";
import { ForecastLine } from "../widgets/forecast-line";
import { Funnel } from "../widgets/funnel";
import { Heatmap } from "../widgets/heatmap";
import { JourneyFunnel } from "../widgets/journey-funnel";
import { KeyFigures } from "../widgets/key-figures";
import { KpiCard } from "../widgets/kpi-card";
import { Places } from "../widgets/places";
import { QuarantineGauge, RecordCounts, Stages, Stores } from "../widgets/platform";
import { ScoreGauge } from "../widgets/score-gauge";
import { StackedBars } from "../widgets/stacked-bars";
import { TopCampaigns } from "../widgets/top-campaigns";
import { Trend } from "../widgets/trend";
import { Grid } from "../widgets/grid";

export function Gallery() {
  return (
    <Grid>
      <KpiCard id="revenue" width={4} />
      <KpiCard id="roas" width={4} />
      <KpiCard id="conversions" width={4} />
      <KeyFigures width={12} />
      <Trend width={8} />
      <Donut id="revenue" width={4} />
      <ForecastLine id="revenue" width={8} />
      <ScoreGauge width={4} />
      <StackedBars id="spend" width={6} />
      <TopCampaigns id="revenue" width={6} />
      <DrillDown width={6} />
      <Funnel width={6} />
      <Heatmap id="conversions" width={6} />
      <Correlation width={6} />
      <CampaignTable width={12} />
      <AttributionModels width={12} />
      <AttributionComparison width={12} />
      <JourneyFunnel width={4} />
      <Cohort width={8} />
      <ConversionList width={12} />
      <Pulse width={12} />
      <CurrentWindows width={8} />
      <AlertTimeline width={4} />
      <Anomalies width={6} />
      <DataQuality width={6} />
      <RecordCounts width={12} />
      <Stages width={4} />
      <QuarantineGauge width={4} />
      <Stores width={4} />
      <Places width={12} />
    </Grid>
  );
}
