/** Channels, or the campaigns of one channel, in the order of their spend, each with its share and its change. */
import { mainCurrency, useTotals, type Split } from "../data/campaign-queries";
import { useBreakdown } from "../data/breakdown-queries";
import type { BreakdownRow } from "../gen/tributary/v1/campaign_metrics_pb";
import { useDashboardState } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { change, write, writeChange } from "../figures/format";
import { METRICS, readSums, valueOf } from "../figures/metrics";
import { words } from "../language/words";
import type { LevelProps } from "./drill-down";
import { Widget } from "./widget";
import "./breakdown.css";

const MOST = 12;
const HEIGHT = 300;

export function BreakdownLevel({ width, path, go, crumbs, by }: LevelProps & { by: Split }) {
  const state = useDashboardState();
  const [channel] = path;
  const totals = useTotals();
  const currency = mainCurrency(totals.data?.value ?? [], state.currency);
  const query = useBreakdown({ by, orderBy: "cost_micros desc", most: MOST, channel, currency, enabled: !totals.isPending });
  const rows = (query.data?.value.rows ?? []).filter(({ metrics }) => metrics?.currency === currency);
  const id = (row: BreakdownRow) => (by === "channel" ? (row.metrics?.channel ?? "") : (row.metrics?.campaignId ?? ""));
  const name = (row: BreakdownRow) => (by === "channel" ? channelName(id(row)) : id(row));
  const spend = (row: BreakdownRow) => Number(row.metrics?.sums?.costMicros ?? 0n);
  const roas = (row: BreakdownRow) => valueOf("roas", readSums(row.metrics?.sums), row.metrics?.kpis);
  const changed = (row: BreakdownRow) => change(METRICS.spend, spend(row), row.metrics?.compared?.sums && Number(row.metrics.compared.sums.costMicros)).share;
  const longest = Math.max(...rows.map(spend), 1);
  return (
    <Widget
      title={words.drill.title}
      note={by === "channel" ? words.drill.notes.channel : words.drill.notes.campaign}
      width={width}
      query={query}
      height={HEIGHT}
      isEmpty={() => rows.length === 0}
      empty={words.drill.empty[by]}
      table={() => ({
        columns: [{ label: words.drill.levels[by] }, { label: words.drill.spend, numeric: true, unit: currency }, { label: words.common.share, numeric: true }, { label: words.keyFigures.change, numeric: true }, { label: METRICS.roas.label, numeric: true }],
        rows: rows.map((row) => ({
          key: id(row),
          cells: [{ text: name(row) }, { text: write(spend(row), "money", { currency }) }, { text: write(row.share, "share"), raw: row.share }, { text: changed(row) === undefined ? "" : writeChange(changed(row) ?? 0) }, { text: write(roas(row), "ratio"), raw: roas(row) }],
        })),
      })}
    >
      {() => (
        <>
          {crumbs}
          <ul className="bars">
            {rows.map((row) => {
              const share = changed(row);
              return (
                <li key={id(row)}>
                  <button type="button" data-testid={`drill-${id(row)}`} data-raw={String(row.metrics?.sums?.costMicros ?? 0n)} onClick={() => go([...path, id(row)])}>
                    <span className="bars-name">
                      {name(row)}
                      <small className="bars-said">
                        {write(row.share, "share")} · {METRICS.roas.label} {write(roas(row), "ratio")}
                        {share !== undefined && ` · ${words.drill.compared(writeChange(share))}`}
                      </small>
                    </span>
                    <b className="figure">{write(spend(row), "money", { currency, short: true })}</b>
                    <span className="bars-track" aria-hidden>
                      <i style={{ width: `${(spend(row) / longest) * 100}%`, background: `var(${channelColour(by === "channel" ? id(row) : (channel ?? ""))})` }} />
                    </span>
                  </button>
                </li>
              );
            })}
          </ul>
        </>
      )}
    </Widget>
  );
}
