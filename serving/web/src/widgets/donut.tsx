/** The shares of the channels in one metric whose parts add up. */
import { useMemo } from "react";
import { Chart } from "../charts/chart";
import { useColours } from "../charts/colours";
import { tooltip } from "../charts/tooltip";
import { mainCurrency, useTotals, type Group } from "../data/campaign-queries";
import { useCrossFilter, useDashboardState } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { write } from "../figures/format";
import { METRICS, nameInText, valueOf, type MetricId } from "../figures/metrics";
import { Widget, type Width } from "./widget";
import "./breakdown.css";
import { words } from "../language/words";

const HEIGHT = 260;
const RING = 190;

export function Donut({ id, width }: { id: MetricId; width: Width }) {
  const state = useDashboardState();
  const filter = useCrossFilter();
  const colours = useColours();
  const metric = METRICS[id];
  const query = useTotals(["channel"]);
  const currency = mainCurrency(query.data?.value ?? [], state.currency);
  const parts = useMemo(() => shares(query.data?.value ?? [], currency, id), [query.data, currency, id]);
  const whole = parts.reduce((sum, { value }) => sum + value, 0);
  const share = (value: number) => (whole > 0 ? value / whole : 0);

  const option = useMemo(
    () => ({
      animation: false,
      tooltip: {
        trigger: "item",
        confine: true,
        backgroundColor: colours.of("--surface-raised"),
        borderColor: colours.of("--line"),
        padding: 10,
        formatter: ({ dataIndex }: { dataIndex: number }) => {
          const part = parts[dataIndex];
          const rows = [
            { label: metric.label, value: write(part?.value, metric.unit, { currency }) },
            { label: words.common.share, value: write(whole > 0 ? (part?.value ?? 0) / whole : undefined, "share") },
          ];
          return tooltip(channelName(part?.channel ?? ""), rows);
        },
      },
      series: [
        {
          type: "pie",
          radius: ["68%", "94%"],
          label: { show: false },
          itemStyle: { borderColor: colours.of("--surface"), borderWidth: 2 },
          emphasis: { scaleSize: 3 },
          data: parts.map(({ channel, value }) => ({ name: channel, value, itemStyle: { color: colours.of(channelColour(channel)) } })),
        },
      ],
    }),
    [parts, colours, metric, currency, whole],
  );

  return (
    <Widget
      title={words.donut.byChannel(metric.label)}
      note={words.widget.clickToFilter}
      width={width}
      query={query}
      height={HEIGHT}
      isEmpty={() => whole <= 0}
      empty={words.donut.noMetric(nameInText(metric))}
      table={() => ({
        columns: [{ label: words.filters.channel }, { label: metric.label, numeric: true, unit: metric.unit === "money" ? currency : undefined }, { label: words.common.share, numeric: true }],
        rows: parts.map(({ channel, value }) => ({
          key: channel,
          cells: [
            { text: channelName(channel) },
            { text: write(value, metric.unit, { currency }), raw: metric.unit === "money" ? value / 1e6 : value },
            { text: write(share(value), "share"), raw: share(value) },
          ],
        })),
      })}
    >
      {() => (
        <div className="donut">
          <div className="donut-ring">
            <Chart
              option={option}
              height={RING}
              label={`${words.donut.label(nameInText(metric))}: ${parts.map(({ channel, value }) => `${channelName(channel)} ${write(share(value), "share")}`).join(", ")}`}
              onPick={(_, index) => {
                const part = parts[index];
                if (part) filter("channel", part.channel);
              }}
            />
            <p className="donut-whole figure" aria-hidden>
              <strong>{write(whole, metric.unit, { currency, short: true })}</strong>
              <span>{metric.label}</span>
            </p>
          </div>
          <ul className="donut-parts">
            {parts.map(({ channel, value }) => (
              <li key={channel}>
                <button type="button" aria-pressed={state.channels.includes(channel)} onClick={() => filter("channel", channel)}>
                  <i className="swatch" style={{ background: `var(${channelColour(channel)})` }} />
                  <span>{channelName(channel)}</span>
                  <b className="figure">{write(share(value), "share")}</b>
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Widget>
  );
}

function shares(groups: Group[], currency: string | undefined, id: MetricId): { channel: string; value: number }[] {
  return groups
    .filter((group) => group.currency === currency)
    .map((group) => ({ channel: group.channel, value: valueOf(id, group.sums) ?? 0 }))
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value);
}
