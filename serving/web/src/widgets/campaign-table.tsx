/** Every campaign of the selection with all its figures; a click goes down from channel to campaign to conversions. */
import { mainCurrency, useTotals, type Group } from "../data/campaign-queries";
import { useCrossFilter, useDashboardState } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { exactMoney, write } from "../figures/format";
import { METRICS, shortName, valueOf, type MetricId } from "../figures/metrics";
import { DataTable, type Column } from "./data-table";
import { Widget, type Width } from "./widget";
import { words } from "../language/words";

const SHOWN: MetricId[] = ["revenue", "spend", "roas", "conversions", "conversion_rate", "clicks", "ctr", "impressions", "cpc", "cpa", "score"];
const HEIGHT = 420;

export function CampaignTable({ width }: { width: Width }) {
  const state = useDashboardState();
  const filter = useCrossFilter();
  const query = useTotals(["campaign", "channel"]);
  const currency = mainCurrency(query.data?.value ?? [], state.currency);
  const rows = (query.data?.value ?? []).filter((group) => group.currency === currency);
  const columns: Column<Group>[] = [
    {
      id: "campaign",
      label: words.filters.campaign,
      by: (row) => row.campaign,
      show: (row) => (
        <button type="button" className="cell-button" aria-pressed={state.campaigns.includes(row.campaign)} onClick={() => filter("campaign", row.campaign)}>
          {row.campaign}
        </button>
      ),
    },
    {
      id: "channel",
      label: words.filters.channel,
      by: (row) => row.channel,
      show: (row) => (
        <button type="button" className="cell-button" aria-pressed={state.channels.includes(row.channel)} onClick={() => filter("channel", row.channel)}>
          <i className="swatch" style={{ background: `var(${channelColour(row.channel)})` }} />
          {channelName(row.channel)}
        </button>
      ),
    },
    ...SHOWN.map((id): Column<Group> => {
      const { unit } = METRICS[id];
      return {
        id,
        label: shortName(METRICS[id]),
        numeric: true,
        by: (row) => valueOf(id, row.sums, row.kpis),
        show: (row) => write(valueOf(id, row.sums, row.kpis), unit, { currency }),
      };
    }),
  ];
  return (
    <Widget
      title={words.campaigns.title}
      note={words.campaigns.note(rows.length, currency ?? "")}
      width={width}
      query={query}
      height={HEIGHT}
      isEmpty={() => rows.length === 0}
      empty={words.campaigns.empty}
      table={() => ({
        columns: [{ label: words.filters.campaign }, { label: words.filters.channel }, { label: words.filters.currency }, ...SHOWN.map((id) => ({ label: METRICS[id].label, numeric: true }))],
        rows: rows.map((row) => ({
          key: `${row.campaign}\n${row.channel}`,
          cells: [{ text: row.campaign }, { text: row.channel }, { text: row.currency }, ...SHOWN.map((id) => ({ text: write(valueOf(id, row.sums, row.kpis), METRICS[id].unit, { currency }), raw: exported(id, row) }))],
        })),
      })}
    >
      {() => (
        <DataTable
          caption={words.campaigns.title}
          rows={rows}
          columns={columns}
          rowKey={(row) => `${row.campaign}\n${row.channel}`}
          text={(row) => `${row.campaign} ${row.channel}`}
          first={{ column: "revenue", descending: true }}
          chosen={(row) => state.campaigns.includes(row.campaign)}
        />
      )}
    </Widget>
  );
}

/** Sums to the last micro, ratios as they are. */
function exported(id: MetricId, row: Group): string | number {
  if (id === "revenue") return exactMoney(row.sums.revenueMicros);
  if (id === "spend") return exactMoney(row.sums.costMicros);
  const value = valueOf(id, row.sums, row.kpis);
  if (value === undefined) return "";
  return METRICS[id].unit === "money" ? value / 1e6 : value;
}
