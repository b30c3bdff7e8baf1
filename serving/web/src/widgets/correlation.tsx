/** Which metrics move together over the steps of the range. */
import { useMemo } from "react";
import { stepsOf } from "../charts/time-axis";
import { mainCurrency, useSeries, useTotals } from "../data/campaign-queries";
import { useDashboardState } from "../filters/search-state";
import { pearson } from "../figures/correlation";
import { writeSigned } from "../figures/format";
import { METRICS, shortName, valueOf, type MetricId } from "../figures/metrics";
import { words } from "../language/words";
import { ShadedTable } from "./shaded-table";
import { Widget, type Width } from "./widget";

const SHOWN: MetricId[] = ["impressions", "clicks", "conversions", "spend", "revenue", "ctr", "conversion_rate", "roas"];
// With fewer points nearly any two courses look related.
const LEAST_STEPS = 8;

export function Correlation({ width }: { width: Width }) {
  const state = useDashboardState();
  const totals = useTotals();
  const query = useSeries();
  // Of its own figures while those of the whole range are on their way, or fail.
  const currency = mainCurrency(totals.data?.value ?? query.data?.value.points ?? [], state.currency);
  const { steps, r } = useMemo(() => {
    const answer = query.data;
    if (!answer) return { steps: 0, r: [] };
    const at = new Map(answer.value.points.filter((point) => point.currency === currency).map((point) => [point.start, point]));
    const starts = stepsOf(answer.span, answer.value, state.timeZone);
    // The first and the last step may be cut by the range: a part of a day beside whole ones would count as a fall.
    const whole = starts.slice(1, -1);
    const courses = SHOWN.map((id) =>
      whole.map((start) => {
        const point = at.get(start);
        return point ? valueOf(id, point.sums, point.kpis) : METRICS[id].additive ? 0 : undefined;
      }),
    );
    return { steps: whole.length, r: courses.map((a) => courses.map((b) => pearson(a, b, LEAST_STEPS))) };
  }, [query.data, currency, state.timeZone]);
  const say = (value: number | undefined) => (value === undefined ? words.correlation.constant : writeSigned(value, 2));
  const names = SHOWN.map((id) => shortName(METRICS[id]));
  return (
    <Widget
      title={words.correlation.title}
      note={words.correlation.note(words.grains[query.data?.value.grain ?? "day"], steps)}
      width={width}
      query={query}
      height={320}
      isEmpty={() => steps < LEAST_STEPS || r.every((row) => row.every((value) => value === undefined))}
      empty={words.correlation.tooFew}
      table={() => ({
        columns: [{ label: words.filters.metric }, ...names.map((label) => ({ label, numeric: true }))],
        rows: SHOWN.map((id, row) => ({ key: id, cells: [{ text: METRICS[id].label }, ...(r[row] ?? []).map((value) => ({ text: say(value), raw: value }))] })),
      })}
    >
      {() => (
        <ShadedTable
          caption={words.correlation.title}
          corner={words.correlation.scale}
          columns={names}
          hint={words.cohort.point}
          rows={SHOWN.map((id, row) => ({
            key: id,
            name: METRICS[id].label,
            cells: SHOWN.map((other, column) => {
              const value = r[row]?.[column];
              return {
                key: other,
                figure: value === undefined ? "–" : writeSigned(value, 2),
                said: words.correlation.cell(METRICS[id].label, METRICS[other].label, say(value)),
                strength: value === undefined ? undefined : Math.abs(value),
                tone: (value ?? 0) < 0 ? ("low" as const) : ("high" as const),
              };
            }),
          }))}
        />
      )}
    </Widget>
  );
}
