/** The performance score of the selection, against the mark at which a rule raises an alert. */
import { mainCurrency, useTotals } from "../data/campaign-queries";
import { useDashboardState } from "../filters/search-state";
import { write } from "../figures/format";
import { valueOf } from "../figures/metrics";
import { Gauge } from "./gauge";
import { ofCurrency } from "./kpi-card";
import { Widget, type Width } from "./widget";

export function ScoreGauge({ width }: { width: Width }) {
  const state = useDashboardState();
  const query = useTotals();
  const [group] = ofCurrency(query.data?.value ?? [], mainCurrency(query.data?.value ?? [], state.currency));
  const value = group && valueOf("score", group.sums, group.kpis);
  return (
    <Widget title="Performance score" note="From CTR, conversion rate and ROAS" width={width} query={query} height={170} isEmpty={() => !group} empty="No figure in this range.">
      {() => (
        <Gauge
          label="Performance score"
          value={value}
          low={0}
          high={100}
          written={write(value, "score")}
          // A rule raises an alert below 60; automation acts below 50 and is content above 75 (SPEC G1, I2).
          thresholds={[
            { from: 0, word: "Low: below the alert mark of 60", tone: "bad" },
            { from: 60, word: "Fair: above the alert mark of 60", tone: "warn" },
            { from: 75, word: "Good: above 75", tone: "good" },
          ]}
        />
      )}
    </Widget>
  );
}
