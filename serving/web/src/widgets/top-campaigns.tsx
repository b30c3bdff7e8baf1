/** The campaigns with the most of a metric, as bars that filter when they are clicked. */
import { mainCurrency, useTotals } from "../data/campaign-queries";
import { useCrossFilter, useDashboardState } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { write } from "../figures/format";
import { METRICS, nameInText, valueOf, type MetricId } from "../figures/metrics";
import { Widget, type Width } from "./widget";
import "./breakdown.css";
import { words } from "../language/words";

const HEIGHT = 260;

export function TopCampaigns({ id, width, most = 7 }: { id: MetricId; width: Width; most?: number }) {
  const state = useDashboardState();
  const filter = useCrossFilter();
  const metric = METRICS[id];
  const query = useTotals(["campaign", "channel"]);
  const currency = mainCurrency(query.data?.value ?? [], state.currency);
  const all = (query.data?.value ?? [])
    .filter((group) => group.currency === currency)
    .map((group) => ({ ...group, value: valueOf(id, group.sums, group.kpis) }))
    .filter((group) => group.value !== undefined && group.value > 0)
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  const shown = all.slice(0, most);
  const longest = shown[0]?.value ?? 1;
  const rest = all.length - shown.length;
  return (
    <Widget
      title={words.top.title(nameInText(metric))}
      note={rest > 0 ? words.top.someOf(shown.length, all.length) : words.top.allOf}
      width={width}
      query={query}
      height={HEIGHT}
      isEmpty={() => all.length === 0}
      empty={words.top.none(nameInText(metric))}
      table={() => ({
        columns: [{ label: words.filters.campaign }, { label: words.filters.channel }, { label: metric.label, numeric: true, unit: metric.unit === "money" ? currency : undefined }],
        rows: all.map((group) => ({
          key: `${group.campaign}\n${group.channel}`,
          cells: [
            { text: group.campaign },
            { text: channelName(group.channel) },
            { text: write(group.value, metric.unit, { currency }), raw: metric.unit === "money" ? (group.value ?? 0) / 1e6 : (group.value ?? "") },
          ],
        })),
      })}
    >
      {() => (
        <ul className="bars">
          {shown.map((group) => (
            <li key={`${group.campaign}\n${group.channel}`}>
              <button type="button" aria-pressed={state.campaigns.includes(group.campaign)} onClick={() => filter("campaign", group.campaign)}>
                <span className="bars-name">
                  {group.campaign}
                  <small>{channelName(group.channel)}</small>
                </span>
                <b className="figure">{write(group.value, metric.unit, { currency, short: true })}</b>
                <span className="bars-track" aria-hidden>
                  <i style={{ width: `${((group.value ?? 0) / longest) * 100}%`, background: `var(${channelColour(group.channel)})` }} />
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </Widget>
  );
}
