import { AlertTimeline } from "../widgets/alert-timeline";
import { AttributionModels } from "../widgets/attribution-models";
import { Donut } from "../widgets/donut";
import { Funnel } from "../widgets/funnel";
import { ForecastLine } from "../widgets/forecast-line";
import { KpiCard } from "../widgets/kpi-card";
import { ScoreGauge } from "../widgets/score-gauge";
import { TopCampaigns } from "../widgets/top-campaigns";
import { Trend } from "../widgets/trend";
import { Grid } from "../widgets/grid";

export function Executive() {
  return (
    <Grid>
      <KpiCard id="revenue" />
      <KpiCard id="spend" />
      <KpiCard id="roas" />
      <KpiCard id="conversions" />
      <Trend width={8} />
      <Donut id="revenue" width={4} />
      <TopCampaigns id="revenue" width={4} />
      <Funnel width={4} />
      <ScoreGauge width={4} />
      <ForecastLine id="revenue" width={12} />
      <AttributionModels width={12} />
      <AlertTimeline width={12} />
    </Grid>
  );
}
