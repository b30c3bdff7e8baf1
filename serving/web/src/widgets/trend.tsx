/** One metric over time, with the period before, or one line for each channel. */
import { useMemo } from "react";
import { Chart } from "../charts/chart";
import { useColours } from "../charts/colours";
import { frame, stepsOf, writeStep } from "../charts/time-axis";
import { tooltip } from "../charts/tooltip";
import { mainCurrency, useSeries, useTotals, type Point, type Series } from "../data/campaign-queries";
import { nameOfBefore } from "../filters/date-range";
import { Picker } from "../filters/picker";
import { useChangeSearch, useCrossFilter, useDashboardState } from "../filters/search-state";
import { CHANNELS, channelColour, channelName } from "../figures/channels";
import { write } from "../figures/format";
import { METRICS, valueOf, type MetricId } from "../figures/metrics";
import type { TableData } from "./figure-table";
import { Widget, type Width } from "./widget";
import { words } from "../language/words";

interface Line {
  id: string;
  name: string;
  colour: string;
  values: (number | undefined)[];
  before?: boolean;
}

const HEIGHT = 280;

function course(points: Point[], steps: number[], id: MetricId): (number | undefined)[] {
  const at = new Map(points.map((point) => [point.start, point]));
  return steps.map((start) => {
    const point = at.get(start);
    if (point) return valueOf(id, point.sums, point.kpis);
    // Nothing happened in a step without a point: sums are 0, ratios have no value.
    return METRICS[id].additive ? 0 : undefined;
  });
}

/** `fixed` is a metric that does not follow the address. */
export function Trend({ width, by, fixed }: { width: Width; by?: "channel"; fixed?: MetricId }) {
  const state = useDashboardState();
  const search = useChangeSearch();
  const filter = useCrossFilter();
  const colours = useColours();
  const id = fixed ?? state.metric;
  const metric = METRICS[id];
  const totals = useTotals();
  const query = useSeries(by ? [by] : []);
  // Of its own figures while those of the whole range are on their way, or fail.
  const currency = mainCurrency(totals.data?.value ?? query.data?.value.points ?? [], state.currency);
  const compared = state.compare && !by;
  const before = useSeries([], "before", { enabled: compared });

  const { steps, lines, grain } = useMemo(() => {
    const answer = query.data;
    if (!answer) return { steps: [], lines: [] as Line[], grain: "day" as const };
    const { points, grain } = answer.value;
    const steps = stepsOf(answer.span, answer.value, state.timeZone);
    const mine = points.filter((point) => point.currency === currency);
    if (by) {
      const present = CHANNELS.filter((channel) => mine.some((point) => point.channel === channel));
      const lines = present.map((channel): Line => ({
        id: channel,
        name: channelName(channel),
        colour: channelColour(channel),
        values: course(mine.filter((point) => point.channel === channel), steps, id),
      }));
      return { steps, lines, grain };
    }
    const lines: Line[] = [{ id, name: metric.label, colour: "--series-1", values: course(mine, steps, id) }];
    if (compared && before.data) {
      const earlier = before.data.value.points.filter((point) => point.currency === currency);
      const stepsBefore = stepsOf(before.data.span, before.data.value, state.timeZone);
      // Step by step: the first of one period beside the first of the other.
      const values = course(earlier, stepsBefore, id).slice(0, steps.length);
      lines.push({ id: "before", name: capital(nameOfBefore(state.range)), colour: "--series-7", values, before: true });
    }
    return { steps, lines, grain };
  }, [query.data, before.data, by, compared, currency, id, metric.label, state.range, state.timeZone]);

  const option = useMemo(() => {
    const names = steps.map((start) => writeStep(start, grain, state.timeZone));
    const base = frame(names, colours, (value) => write(value, metric.unit, { currency, short: true }));
    return {
      ...base,
      tooltip: {
        ...base.tooltip,
        formatter: (params: { dataIndex: number }[]) => {
          const index = params[0]?.dataIndex ?? 0;
          const rows = lines.map((line) => ({
            label: line.name,
            value: write(line.values[index], metric.unit, { currency }),
            colour: colours.of(line.colour),
          }));
          return tooltip(writeStep(steps[index] ?? 0, grain, state.timeZone, true), rows);
        },
      },
      series: lines.map((line) => ({
        type: "line",
        name: line.name,
        data: line.values.map((value) => value ?? null),
        showSymbol: steps.length < 3,
        symbolSize: 6,
        smooth: 0.15,
        smoothMonotone: "x",
        z: line.before ? 1 : 2,
        lineStyle: { width: line.before ? 1.5 : 2, type: line.before ? "dashed" : "solid", color: colours.of(line.colour) },
        itemStyle: { color: colours.of(line.colour) },
        ...(!by && !line.before && { areaStyle: { color: colours.of(line.colour), opacity: 0.08 } }),
        emphasis: { disabled: true },
      })),
    };
  }, [steps, grain, lines, colours, metric.unit, currency, by, state.timeZone]);

  const table = (value: Series): TableData => ({
    columns: [
      { label: value.localDays ? words.common.from : words.trend.fromUtc },
      ...lines.map(({ name }) => ({ label: name, numeric: true, unit: metric.unit === "money" ? currency : undefined })),
    ],
    rows: steps.map((start, index) => ({
      key: String(start),
      cells: [
        { text: writeStep(start, grain, state.timeZone, true), raw: new Date(start).toISOString() },
        ...lines.map(({ values }) => ({
          text: write(values[index], metric.unit, { currency }),
          raw: metric.unit === "money" && values[index] !== undefined ? values[index] / 1e6 : (values[index] ?? ""),
        })),
      ],
    })),
  });

  return (
    <Widget
      title={by ? words.trend.byChannel(metric.label) : metric.label}
      note={`${words.trend.per(words.grains[grain])}${grain === "day" && query.data && !query.data.value.localDays ? words.trend.utcDays : ""}${metric.unit === "money" && currency ? `, ${currency}` : ""}`}
      width={width}
      query={query}
      height={HEIGHT}
      isEmpty={({ points }) => points.length === 0}
      empty={words.widget.nothingHappened}
      table={table}
      tools={
        !fixed && (
          <Picker
            label={words.filters.metric}
            summary={metric.label}
            choices={Object.values(METRICS)}
            chosen={[id]}
            onChoose={([chosen]) => search({ metric: chosen as MetricId })}
          />
        )
      }
    >
      {() => (
        <>
          <div className="legend">
            {lines.map((line) =>
              by ? (
                <button
                  key={line.id}
                  type="button"
                  aria-pressed={state.channels.includes(line.id)}
                  title={words.widget.onlyThis(line.name)}
                  onClick={() => filter("channel", line.id)}
                >
                  <i className="swatch" style={{ background: `var(${line.colour})` }} />
                  {line.name}
                </button>
              ) : (
                <span key={line.id}>
                  <i className="legend-line" data-dashed={line.before || undefined} style={{ borderColor: `var(${line.colour})` }} />
                  {line.name}
                </span>
              ),
            )}
          </div>
          <Chart
            option={option}
            height={HEIGHT - 34}
            label={describeLines(lines, metric.unit, currency)}
            onPick={by ? (name) => pick(lines, name, (line) => filter("channel", line.id)) : undefined}
          />
        </>
      )}
    </Widget>
  );
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function pick(lines: Line[], name: string, take: (line: Line) => void): void {
  const line = lines.find((each) => each.name === name);
  if (line) take(line);
}

/** "Revenue: from €1.2K to €2.3K, at most €4K." */
function describeLines(lines: Line[], unit: (typeof METRICS)[MetricId]["unit"], currency: string | undefined): string {
  const said = lines.map(({ name, values }) => {
    const known = values.filter((value) => value !== undefined);
    if (known.length === 0) return words.trend.noValue(name);
    const say = (value: number | undefined) => write(value, unit, { currency, short: true });
    return words.trend.course(name, say(known[0]), say(known.at(-1)), say(Math.min(...known)), say(Math.max(...known)));
  });
  return words.trend.lineChart(said.join(". "));
}
