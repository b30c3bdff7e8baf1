import { AttributionModels } from "../widgets/attribution-models";
import { CampaignTable } from "../widgets/campaign-table";
import { Heatmap } from "../widgets/heatmap";
import { KpiCard } from "../widgets/kpi-card";
import { AttributionComparison } from "../widgets/attribution-comparison";
import { Cohort } from "../widgets/cohort";
import { ConversionList } from "../widgets/conversion-list";
import { Correlation } from "../widgets/correlation";
import { DrillDown } from "../widgets/drill-down";
import { JourneyFunnel } from "../widgets/journey-funnel";
import { LiveConversions } from "../widgets/live-conversions";
import { Places } from "../widgets/places";
import { StackedBars } from "../widgets/stacked-bars";
import { TopCampaigns } from "../widgets/top-campaigns";
import { Trend } from "../widgets/trend";
import { Grid } from "../widgets/grid";

export function Performance() {
  return (
    <Grid>
      <KpiCard id="ctr" width={2} />
      <KpiCard id="conversion_rate" width={2} />
      <KpiCard id="cpc" width={2} />
      <KpiCard id="cpa" width={2} />
      <KpiCard id="roas" width={2} />
      <KpiCard id="score" width={2} />
      <Trend width={6} by="channel" />
      <StackedBars id="spend" width={6} />
      <DrillDown width={6} />
      <Correlation width={6} />
      <CampaignTable width={12} />
      <Heatmap id="conversions" width={7} />
      <TopCampaigns id="roas" width={5} />
      <AttributionModels width={12} />
      <AttributionComparison width={12} />
      <JourneyFunnel width={4} />
      <Cohort width={8} />
      <ConversionList width={12} />
      <LiveConversions width={12} />
      <Places width={12} />
    </Grid>
  );
}
