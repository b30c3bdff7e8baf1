import { AlertTimeline } from "../widgets/alert-timeline";
import { Anomalies } from "../widgets/anomalies";
import { CurrentWindows, Pulse } from "../widgets/current-windows";
import { KeyFigures } from "../widgets/key-figures";
import { KpiCard } from "../widgets/kpi-card";
import { LiveConversions } from "../widgets/live-conversions";
import { words } from "../language/words";
import { NotYet } from "../widgets/widget";
import { Grid } from "../widgets/grid";

export function Automation() {
  return (
    <Grid>
      <Pulse width={12} />
      <KpiCard id="clicks" />
      <KpiCard id="conversions" />
      <KpiCard id="spend" />
      <KpiCard id="score" />
      <CurrentWindows width={8} />
      <AlertTimeline width={4} height={540} />
      <KeyFigures width={12} />
      <LiveConversions width={12} />
      <Anomalies width={12} />
      <NotYet title={words.notYet.automation} width={12}>
        {words.notYet.automationText}
      </NotYet>
    </Grid>
  );
}
