/** A metric by hour and weekday, in the chosen time zone: a table whose cells are coloured by their value. */
import { fromAbsolute, getDayOfWeek } from "@internationalized/date";
import { useMemo, useState } from "react";
import { shade } from "../charts/shade";
import { mainCurrency, useSeries, useTotals } from "../data/campaign-queries";
import { useDashboardState } from "../filters/search-state";
import { dateFormatter, write } from "../figures/format";
import { addSums, METRICS, NO_SUMS, valueOf, type MetricId, type Sums } from "../figures/metrics";
import { Widget, type Width } from "./widget";
import "./heatmap.css";
import { words } from "../language/words";

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
// Weeks begin on Monday, as in the roll-ups. 2024-01-01 was one.
const DAYS = Array.from({ length: 7 }, (_, day) => dateFormatter({ weekday: "short", timeZone: "UTC" }).format(Date.UTC(2024, 0, 1 + day)));
const HEIGHT = 280;

export function Heatmap({ id, width }: { id: MetricId; width: Width }) {
  const state = useDashboardState();
  const metric = METRICS[id];
  const totals = useTotals();
  const query = useSeries([], "now", { hours: true });
  // Of its own figures while those of the whole range are on their way, or fail.
  const currency = mainCurrency(totals.data?.value ?? query.data?.value.points ?? [], state.currency);
  const [over, setOver] = useState<string>();
  const cells = useMemo(() => {
    const sums: Sums[][] = DAYS.map(() => HOURS.map(() => NO_SUMS));
    for (const point of query.data?.value.points ?? []) {
      if (point.currency !== currency) continue;
      const local = fromAbsolute(point.start, state.timeZone);
      const row = sums[getDayOfWeek(local, "en-GB", "mon")];
      if (row) row[local.hour] = addSums(row[local.hour] ?? NO_SUMS, point.sums);
    }
    return sums.map((row) => row.map((cell) => (cell.events === 0n ? undefined : valueOf(id, cell))));
  }, [query.data, currency, id, state.timeZone]);
  const highest = Math.max(...cells.flat().map((value) => value ?? 0), 0);
  const say = (value: number | undefined) => (value === undefined ? words.common.nothing : write(value, metric.unit, { currency, short: true }));
  return (
    <Widget
      title={words.heatmap.title(metric.label)}
      note={words.heatmap.note(state.timeZone.replaceAll("_", " "))}
      width={width}
      query={query}
      height={HEIGHT}
      isEmpty={() => highest <= 0}
      empty={words.widget.nothingHappened}
      table={() => ({
        columns: [{ label: words.heatmap.weekday }, ...HOURS.map((hour) => ({ label: `${hour}:00`, numeric: true }))],
        rows: cells.map((row, day) => ({
          key: String(day),
          cells: [{ text: DAYS[day] ?? "" }, ...row.map((value) => ({ text: value === undefined ? "" : write(value, metric.unit, { currency, short: true }), raw: value === undefined ? "" : metric.unit === "money" ? value / 1e6 : value }))],
        })),
      })}
    >
      {() => (
        <>
          <div className="heatmap-scroll" tabIndex={0} role="region" aria-label={words.widget.table(words.heatmap.title(metric.label))}>
            <table className="heatmap" onMouseLeave={() => setOver(undefined)}>
              <caption className="hidden-text">{words.heatmap.title(metric.label)}</caption>
              <thead>
                <tr>
                  <th scope="col">
                    <span className="hidden-text">{words.heatmap.weekday}</span>
                  </th>
                  {HOURS.map((hour) => (
                    <th key={hour} scope="col">
                      <span className={hour % 3 === 0 ? undefined : "hidden-text"}>{hour}</span>
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {cells.map((row, day) => (
                  <tr key={DAYS[day]}>
                    <th scope="row">{DAYS[day]}</th>
                    {row.map((value, hour) => (
                      <td key={hour} onMouseEnter={() => setOver(words.heatmap.cell(DAYS[day] ?? "", hour, say(value)))}>
                        <i style={{ background: shade(value, highest) }}>
                          <span className="hidden-text">{say(value)}</span>
                        </i>
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p className="heatmap-foot">
            <span>{over ?? words.cohort.point}</span>
            <span className="heatmap-scale" aria-hidden>
              0 <i /> {say(highest)}
            </span>
          </p>
        </>
      )}
    </Widget>
  );
}
