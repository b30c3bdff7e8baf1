import { AttributionModels } from "../widgets/attribution-models";
import { CampaignTable } from "../widgets/campaign-table";
import { Heatmap } from "../widgets/heatmap";
import { KpiCard } from "../widgets/kpi-card";
import { LiveConversions } from "../widgets/live-conversions";
import { StackedBars } from "../widgets/stacked-bars";
import { TopCampaigns } from "../widgets/top-campaigns";
import { Trend } from "../widgets/trend";
import { NotYet } from "../widgets/widget";

export function Performance() {
  return (
    <div className="grid">
      <KpiCard id="ctr" width={2} />
      <KpiCard id="conversion_rate" width={2} />
      <KpiCard id="cpc" width={2} />
      <KpiCard id="cpa" width={2} />
      <KpiCard id="roas" width={2} />
      <KpiCard id="score" width={2} />
      <Trend width={6} by="channel" />
      <StackedBars id="spend" width={6} />
      <CampaignTable width={12} />
      <Heatmap id="conversions" width={7} />
      <TopCampaigns id="roas" width={5} />
      <AttributionModels width={12} />
      <LiveConversions width={12} />
      <NotYet title="Map" width={12}>
        Events carry no country that is counted by, so there is no figure to put on a map.
      </NotYet>
    </div>
  );
}
