/** The performance score of the selection, against the mark at which a rule raises an alert. */
import { mainCurrency, useTotals } from "../data/campaign-queries";
import { useDashboardState } from "../filters/search-state";
import { write } from "../figures/format";
import { valueOf } from "../figures/metrics";
import { Gauge } from "./gauge";
import { ofCurrency } from "./kpi-card";
import { Widget, type Width } from "./widget";
import { words } from "../language/words";

export function ScoreGauge({ width }: { width: Width }) {
  const state = useDashboardState();
  const query = useTotals();
  const [group] = ofCurrency(query.data?.value ?? [], mainCurrency(query.data?.value ?? [], state.currency));
  const value = group && valueOf("score", group.sums, group.kpis);
  return (
    <Widget title={words.score.title} note={words.score.note} width={width} query={query} height={170} isEmpty={() => !group} empty={words.score.empty}>
      {() => (
        <Gauge
          label={words.score.title}
          value={value}
          low={0}
          high={100}
          written={write(value, "score")}
          // A rule raises an alert below 60; automation acts below 50 and is content above 75 (SPEC G1, I2).
          thresholds={[
            { from: 0, word: words.score.low, tone: "bad" },
            { from: 60, word: words.score.fair, tone: "warn" },
            { from: 75, word: words.score.good, tone: "good" },
          ]}
        />
      )}
    </Widget>
  );
}
