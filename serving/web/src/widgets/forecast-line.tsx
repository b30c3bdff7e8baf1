/** One metric by day with the period before and the days ahead as a band: a projection by weekday, and no trained model. */
import { useMemo } from "react";
import { fromAbsolute, toCalendarDate } from "@internationalized/date";
import { Chart } from "../charts/chart";
import { useColours } from "../charts/colours";
import { frame, writeStep } from "../charts/time-axis";
import { tooltip } from "../charts/tooltip";
import { mainCurrency, useTotals } from "../data/campaign-queries";
import { useDays } from "../data/day-queries";
import { useDashboardState } from "../filters/search-state";
import { write } from "../figures/format";
import { METRICS, nameInText, valueOf, type MetricId } from "../figures/metrics";
import { AHEAD, project } from "../figures/projection";
import { words } from "../language/words";
import { Widget, type Width } from "./widget";

const HEIGHT = 300;
// Days of the past that are drawn before the days ahead.
const SHOWN_DAYS = 28;

/** `id` must be a metric whose parts add up. */
export function ForecastLine({ id, width }: { id: MetricId; width: Width }) {
  const state = useDashboardState();
  const colours = useColours();
  const metric = METRICS[id];
  const totals = useTotals();
  const query = useDays();
  // Of its own figures while those of the whole range are on their way, or fail.
  const currency = mainCurrency(totals.data?.value ?? query.data?.value.flatMap(({ groups }) => groups) ?? [], state.currency);
  const { names, past, before, ahead } = useMemo(() => {
    const days = (query.data?.value ?? []).map(({ start, groups }) => {
      const group = groups.find((each) => each.currency === currency);
      return { start, value: group ? (valueOf(id, group.sums) ?? 0) : 0 };
    });
    const values = days.map(({ value }) => value);
    const shown = days.slice(-SHOWN_DAYS);
    const last = days.at(-1)?.start;
    const next = last === undefined ? [] : Array.from({ length: AHEAD }, (_, n) => toCalendarDate(fromAbsolute(last, state.timeZone)).add({ days: n + 1 }).toDate(state.timeZone).getTime());
    return {
      names: [...shown.map(({ start }) => start), ...next],
      past: shown.map(({ value }) => value),
      before: values.slice(-2 * SHOWN_DAYS, -SHOWN_DAYS),
      ahead: project(values),
    };
  }, [query.data, currency, id, state.timeZone]);
  const money = (value: number | undefined) => write(value, metric.unit, { currency });
  const short = (value: number) => write(value, metric.unit, { currency, short: true });

  const option = useMemo(() => {
    const base = frame(names.map((start) => writeStep(start, "day", state.timeZone)), colours, short);
    const gap = past.map(() => null);
    // The line ahead begins where the past ends, so that the eye follows it.
    const joined = (values: number[]) => [...past.slice(0, -1).map(() => null), past.at(-1) ?? null, ...values];
    const line = (name: string, data: (number | null)[], more: object) => ({ type: "line", name, data, showSymbol: false, smooth: 0.15, smoothMonotone: "x", emphasis: { disabled: true }, ...more });
    const colour = colours.of("--series-1");
    const faint = colours.of("--series-7");
    return {
      ...base,
      tooltip: {
        ...base.tooltip,
        formatter: (params: { dataIndex: number }[]) => {
          const at = params[0]?.dataIndex ?? 0;
          const next = at - past.length;
          const rows =
            next < 0
              ? [
                  { label: words.projection.actual, value: money(past[at]), colour },
                  ...(state.compare && before.length === past.length ? [{ label: words.before.other, value: money(before[at]), colour: faint }] : []),
                ]
              : [
                  { label: words.projection.projected, value: money(ahead?.values[next]), colour },
                  { label: words.projection.low, value: money(ahead?.low[next]) },
                  { label: words.projection.high, value: money(ahead?.high[next]) },
                ];
          return tooltip(writeStep(names[at] ?? 0, "day", state.timeZone, true), rows);
        },
      },
      series: [
        line("low", [...gap, ...(ahead?.low ?? [])], { stack: "band", lineStyle: { opacity: 0 }, silent: true }),
        line("band", [...gap, ...(ahead?.high.map((high, at) => high - (ahead.low[at] ?? 0)) ?? [])], { stack: "band", lineStyle: { opacity: 0 }, areaStyle: { color: colour, opacity: 0.18 }, silent: true }),
        ...(state.compare && before.length === past.length ? [line(words.before.other, before, { lineStyle: { width: 1.5, type: "dashed", color: faint } })] : []),
        line(words.projection.actual, past, { lineStyle: { width: 2, color: colour }, areaStyle: { color: colour, opacity: 0.06 } }),
        line(words.projection.projected, joined(ahead?.values ?? []), { lineStyle: { width: 2, type: "dotted", color: colour } }),
      ],
    };
  }, [names, past, before, ahead, colours, state.compare, state.timeZone, currency]);

  const error = ahead?.medianError === undefined ? words.projection.noError : words.projection.error(write(ahead.medianError, "share"), ahead.tested);
  return (
    <Widget
      title={words.projection.title(metric.label)}
      note={words.projection.note(AHEAD)}
      width={width}
      query={query}
      height={HEIGHT}
      isEmpty={() => ahead === undefined || past.every((value) => value === 0)}
      empty={words.projection.tooFew}
      table={() => ({
        columns: [{ label: words.projection.day }, { label: words.projection.actual, numeric: true }, { label: words.projection.projected, numeric: true }, { label: words.projection.low, numeric: true }, { label: words.projection.high, numeric: true }],
        rows: names.map((start, at) => {
          const next = at - past.length;
          const ahead_ = (values: number[] | undefined) => ({ text: next < 0 ? "" : money(values?.[next]) });
          return {
            key: String(start),
            cells: [{ text: writeStep(start, "day", state.timeZone, true) }, { text: next < 0 ? money(past[at]) : "" }, ahead_(ahead?.values), ahead_(ahead?.low), ahead_(ahead?.high)],
          };
        }),
      })}
    >
      {() => (
        <>
          <div className="legend">
            <span>
              <i className="legend-line" style={{ borderColor: "var(--series-1)" }} />
              {words.projection.actual}
            </span>
            {state.compare && before.length === past.length && (
              <span>
                <i className="legend-line" data-dashed style={{ borderColor: "var(--series-7)" }} />
                {words.before.other}
              </span>
            )}
            <span>
              <i className="legend-line" data-dotted style={{ borderColor: "var(--series-1)" }} />
              {words.projection.projected}
            </span>
            <span>
              <i className="legend-band" style={{ background: "var(--series-1)" }} />
              {words.projection.band}
            </span>
          </div>
          <Chart option={option} height={HEIGHT - 60} label={words.projection.chart(nameInText(metric), ahead ? `${short(Math.min(...ahead.values))} – ${short(Math.max(...ahead.values))}. ${error}` : "")} />
          <p className="widget-remark">{error}</p>
        </>
      )}
    </Widget>
  );
}
