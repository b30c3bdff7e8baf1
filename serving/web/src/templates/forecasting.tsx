import { KpiCard } from "../widgets/kpi-card";
import { StackedBars } from "../widgets/stacked-bars";
import { Trend } from "../widgets/trend";
import { NotYet } from "../widgets/widget";

export function Forecasting() {
  return (
    <div className="grid">
      <NotYet title="Forecast of revenue and budget" width={12}>
        No model forecasts yet, so no line is drawn into the future. Below is what a forecast would rest on: the course so far, against the
        period before.
      </NotYet>
      <KpiCard id="revenue" />
      <KpiCard id="spend" />
      <KpiCard id="roas" />
      <KpiCard id="cpa" />
      <Trend width={6} fixed="revenue" title="Revenue so far" />
      <Trend width={6} fixed="spend" title="Spend so far" />
      <StackedBars id="revenue" width={6} />
      <StackedBars id="conversions" width={6} />
    </div>
  );
}
