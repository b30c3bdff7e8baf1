import { ForecastLine } from "../widgets/forecast-line";
import { KpiCard } from "../widgets/kpi-card";
import { StackedBars } from "../widgets/stacked-bars";
import { Trend } from "../widgets/trend";
import { words } from "../language/words";
import { NotYet } from "../widgets/widget";
import { Grid } from "../widgets/grid";

export function Forecasting() {
  return (
    <Grid>
      <KpiCard id="revenue" />
      <KpiCard id="spend" />
      <KpiCard id="roas" />
      <KpiCard id="cpa" />
      <ForecastLine id="revenue" width={6} />
      <ForecastLine id="spend" width={6} />
      <Trend width={6} fixed="revenue" />
      <Trend width={6} fixed="spend" />
      <StackedBars id="revenue" width={6} />
      <StackedBars id="conversions" width={6} />
      <NotYet title={words.notYet.forecast} width={12}>
        {words.notYet.forecastText}
      </NotYet>
    </Grid>
  );
}
