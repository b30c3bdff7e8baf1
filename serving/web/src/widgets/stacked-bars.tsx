/** One metric over time, stacked by channel. */
import { useMemo } from "react";
import { Chart } from "../charts/chart";
import { useColours } from "../charts/colours";
import { frame, stepsOf, writeStep } from "../charts/time-axis";
import { tooltip } from "../charts/tooltip";
import { mainCurrency, useSeries, useTotals } from "../data/campaign-queries";
import { useCrossFilter, useDashboardState } from "../filters/search-state";
import { CHANNELS, channelColour, channelName } from "../figures/channels";
import { write } from "../figures/format";
import { METRICS, nameInText, valueOf, type MetricId } from "../figures/metrics";
import { Widget, type Width } from "./widget";
import { words } from "../language/words";

const HEIGHT = 280;

/** `id` must be a metric whose parts add up. */
export function StackedBars({ id, width }: { id: MetricId; width: Width }) {
  const state = useDashboardState();
  const filter = useCrossFilter();
  const colours = useColours();
  const metric = METRICS[id];
  const totals = useTotals();
  const query = useSeries(["channel"]);
  // Of its own figures while those of the whole range are on their way, or fail.
  const currency = mainCurrency(totals.data?.value ?? query.data?.value.points ?? [], state.currency);

  const { steps, stacks, grain } = useMemo(() => {
    const answer = query.data;
    if (!answer) return { steps: [], stacks: [], grain: "day" as const };
    const steps = stepsOf(answer.span, answer.value, state.timeZone);
    const index = new Map(steps.map((start, at) => [start, at]));
    const stacks = CHANNELS.map((channel) => ({ channel, values: steps.map(() => 0), present: false }));
    for (const point of answer.value.points) {
      const stack = stacks.find(({ channel }) => channel === point.channel);
      const at = index.get(point.start);
      if (!stack || at === undefined || point.currency !== currency) continue;
      stack.values[at] = valueOf(id, point.sums) ?? 0;
      stack.present = true;
    }
    return { steps, stacks: stacks.filter(({ present }) => present), grain: answer.value.grain };
  }, [query.data, currency, id, state.timeZone]);

  const option = useMemo(() => {
    const base = frame(steps.map((start) => writeStep(start, grain, state.timeZone)), colours, (value) => write(value, metric.unit, { currency, short: true }));
    return {
      ...base,
      xAxis: { ...base.xAxis, boundaryGap: true },
      tooltip: {
        ...base.tooltip,
        axisPointer: { type: "shadow", shadowStyle: { color: colours.of("--line"), opacity: 0.4 } },
        formatter: (params: { dataIndex: number }[]) => {
          const at = params[0]?.dataIndex ?? 0;
          const rows = stacks.map(({ channel, values }) => ({
            label: channelName(channel),
            value: write(values[at], metric.unit, { currency }),
            colour: colours.of(channelColour(channel)),
          }));
          const sum = stacks.reduce((total, { values }) => total + (values[at] ?? 0), 0);
          return tooltip(writeStep(steps[at] ?? 0, grain, state.timeZone, true), [...rows.reverse(), { label: words.common.together, value: write(sum, metric.unit, { currency }) }]);
        },
      },
      series: stacks.map(({ channel, values }) => ({
        type: "bar",
        name: channelName(channel),
        stack: "all",
        barMaxWidth: 36,
        barCategoryGap: "30%",
        data: values,
        itemStyle: { color: colours.of(channelColour(channel)), borderColor: colours.of("--surface"), borderWidth: steps.length > 60 ? 0 : 0.5 },
        emphasis: { focus: "none" },
      })),
    };
  }, [steps, stacks, grain, colours, metric.unit, currency, state.timeZone]);

  return (
    <Widget
      title={words.donut.byChannel(metric.label)}
      note={`${words.trend.per(words.grains[grain])}${metric.unit === "money" && currency ? `, ${currency}` : ""}. ${words.trend.barNote}`}
      width={width}
      query={query}
      height={HEIGHT}
      isEmpty={({ points }) => points.length === 0}
      empty={words.widget.nothingHappened}
      table={() => ({
        columns: [{ label: words.common.from }, ...stacks.map(({ channel }) => ({ label: channelName(channel), numeric: true, unit: metric.unit === "money" ? currency : undefined }))],
        rows: steps.map((start, at) => ({
          key: String(start),
          cells: [
            { text: writeStep(start, grain, state.timeZone, true), raw: new Date(start).toISOString() },
            ...stacks.map(({ values }) => ({
              text: write(values[at], metric.unit, { currency }),
              raw: metric.unit === "money" ? (values[at] ?? 0) / 1e6 : (values[at] ?? 0),
            })),
          ],
        })),
      })}
    >
      {() => (
        <>
          <div className="legend">
            {stacks.map(({ channel }) => (
              <button key={channel} type="button" aria-pressed={state.channels.includes(channel)} onClick={() => filter("channel", channel)}>
                <i className="swatch" style={{ background: `var(${channelColour(channel)})` }} />
                {channelName(channel)}
              </button>
            ))}
          </div>
          <Chart
            option={option}
            height={HEIGHT - 34}
            label={words.trend.stacked(nameInText(metric), words.grains[grain])}
            onPick={(name) => {
              const stack = stacks.find(({ channel }) => channelName(channel) === name);
              if (stack) filter("channel", stack.channel);
            }}
          />
        </>
      )}
    </Widget>
  );
}
