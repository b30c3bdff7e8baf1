import { AlertTimeline } from "../widgets/alert-timeline";
import { CurrentWindows, Pulse } from "../widgets/current-windows";
import { KpiCard } from "../widgets/kpi-card";
import { LiveConversions } from "../widgets/live-conversions";
import { NotYet } from "../widgets/widget";

export function Automation() {
  return (
    <div className="grid">
      <Pulse width={12} />
      <KpiCard id="clicks" />
      <KpiCard id="conversions" />
      <KpiCard id="spend" />
      <KpiCard id="score" />
      <CurrentWindows width={8} />
      <AlertTimeline width={4} height={540} />
      <LiveConversions width={12} />
      <NotYet title="Automated actions" width={12}>
        No rule acts on campaigns yet: budgets, bids and creatives are not changed by this system, so there is nothing to list. Alerts
        are raised and cleared as shown here.
      </NotYet>
    </div>
  );
}
