/** From impressions to clicks to conversions: how many are left at each step, and the share that went on. */
import { mainCurrency, useTotals } from "../data/campaign-queries";
import { useDashboardState } from "../filters/search-state";
import { write } from "../figures/format";
import { METRICS, valueOf, type MetricId } from "../figures/metrics";
import { ofCurrency } from "./kpi-card";
import { Widget, type Width } from "./widget";
import "./funnel.css";
import { words } from "../language/words";

const STEPS: MetricId[] = ["impressions", "clicks", "conversions"];

export function Funnel({ width }: { width: Width }) {
  const state = useDashboardState();
  const query = useTotals();
  const [group] = ofCurrency(query.data?.value ?? [], mainCurrency(query.data?.value ?? [], state.currency));
  const values = STEPS.map((id) => (group && valueOf(id, group.sums)) ?? 0);
  // Impressions outnumber conversions a thousand times: on a plain scale the last bars could not be seen.
  const longest = Math.log10(Math.max(...values, 1) + 1);
  const rate = (at: number) => (at > 0 && values[at - 1] ? (values[at] ?? 0) / (values[at - 1] ?? 1) : undefined);
  return (
    <Widget
      title={words.funnel.title}
      note={words.funnel.note}
      width={width}
      query={query}
      height={200}
      isEmpty={() => !group || values.every((value) => value === 0)}
      empty={words.widget.nothingHappened}
      table={() => ({
        columns: [{ label: words.funnel.step }, { label: words.common.number, numeric: true }, { label: words.funnel.ofBefore, numeric: true }],
        rows: STEPS.map((id, at) => ({
          key: id,
          cells: [{ text: METRICS[id].label }, { text: write(values[at], "count"), raw: values[at] }, { text: write(rate(at), "share"), raw: rate(at) ?? "" }],
        })),
      })}
    >
      {() => (
        <ol className="funnel">
          {STEPS.map((id, at) => (
            <li key={id}>
              {at > 0 && (
                <p className="funnel-rate">
                  <b className="figure">{write(rate(at), "share")}</b> {id === "clicks" ? words.funnel.clicked : words.funnel.converted}
                </p>
              )}
              <p className="funnel-name">
                <span>{METRICS[id].label}</span>
                <b className="figure">{write(values[at], "count")}</b>
              </p>
              <span className="funnel-bar" aria-hidden>
                <i style={{ width: `${(Math.log10((values[at] ?? 0) + 1) / longest) * 100}%` }} />
              </span>
            </li>
          ))}
        </ol>
      )}
    </Widget>
  );
}
