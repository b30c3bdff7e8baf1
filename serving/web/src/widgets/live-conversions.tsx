/** The newest conversions as they are attributed; each opens its explanation. */
import type { AttributedConversion } from "../gen/tributary/v1/attribution_pb";
import { useLiveConversions } from "../data/live";
import { useRights } from "../data/rights";
import { toMs } from "../data/protobuf-time";
import { modelName } from "../data/attribution-queries";
import { useChangeSearch, useDashboardState } from "../filters/search-state";
import { channelName } from "../figures/channels";
import { write, writeTime } from "../figures/format";
import { Path } from "./path";
import { LiveFoot } from "./live-foot";
import "./live.css";
import { DataTable, type Column } from "./data-table";
import { Frame, NotYourRole, type Width } from "./widget";
import { words } from "../language/words";

// As many as the server's snapshot holds.
const MOST = 100;

export function LiveConversions({ width }: { width: Width }) {
  const { tenant, model, channels, campaigns, timeZone } = useDashboardState();
  const change = useChangeSearch();
  const may = useRights().view("detail");
  const live = useLiveConversions(tenant, may);
  const touchesOf = (conversion: AttributedConversion) => (conversion.models.find((each) => each.model === model) ?? conversion.models[0])?.touches ?? [];
  const rows = [...live.items.values()]
    .filter((conversion) => {
      const touches = touchesOf(conversion);
      return (
        (channels.length === 0 || touches.some(({ channel }) => channels.includes(channel))) &&
        (campaigns.length === 0 || touches.some(({ campaignId }) => campaigns.includes(campaignId)))
      );
    })
    .sort((a, b) => (toMs(b.conversionTime) ?? 0) - (toMs(a.conversionTime) ?? 0))
    .slice(0, MOST);
  const columns: Column<AttributedConversion>[] = [
    {
      id: "time",
      label: words.conversions.when,
      by: (row) => toMs(row.conversionTime),
      show: (row) => (
        <button type="button" className="cell-button" onClick={() => change({ conversion: row.conversionId })}>
          {writeTime(toMs(row.conversionTime) ?? 0, timeZone, "second")}
        </button>
      ),
    },
    { id: "type", label: words.conversions.type, by: (row) => row.conversionType, show: (row) => row.conversionType },
    {
      id: "value",
      label: words.conversions.value,
      numeric: true,
      by: (row) => Number(row.valueMicros),
      show: (row) => write(Number(row.valueMicros), "money", { currency: row.currency }),
    },
    {
      id: "path",
      label: words.conversions.path,
      by: (row) => touchesOf(row).length,
      show: (row) => (
        <Path touches={touchesOf(row)} />
      ),
    },
    {
      id: "winner",
      label: words.conversions.mostCredit(modelName(model)),
      by: (row) => strongest(touchesOf(row)),
      show: (row) => channelName(strongest(touchesOf(row))),
    },
  ];
  if (!may) return <NotYourRole title={words.conversions.live} width={width} subject="detail" height={160} />;
  return (
    <Frame
      title={words.conversions.live}
      note={words.conversions.liveNote(MOST, channels.length > 0 || campaigns.length > 0)}
      width={width}
      footer={<LiveFoot live={live} />}
    >
      {rows.length > 0 ? (
        <DataTable
          caption={words.conversions.live}
          rows={rows}
          columns={columns}
          rowKey={(row) => row.conversionId}
          text={(row) => `${row.conversionType} ${row.conversionId} ${touchesOf(row).map(({ channel, campaignId }) => `${channel} ${campaignId}`).join(" ")}`}
          first={{ column: "time", descending: true }}
          pageSize={8}
        />
      ) : (
        <p className="widget-words" style={{ minHeight: 160 }}>
          {live.known ? words.conversions.noneLive : words.conversions.waiting}
        </p>
      )}
    </Frame>
  );
}

export function strongest(touches: { channel: string; weight: number }[]): string {
  return touches.reduce((best, touch) => (touch.weight > best.weight ? touch : best), { channel: "", weight: -1 }).channel;
}
