/** The newest conversions as they are attributed; each opens its explanation. */
import type { AttributedConversion } from "../gen/tributary/v1/attribution_pb";
import { useLiveConversions } from "../data/live";
import { toMs } from "../data/protobuf-time";
import { MODEL_NAMES } from "../data/attribution-queries";
import { useChangeSearch, useDashboardState } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { write, writeTime } from "../figures/format";
import { LiveFoot } from "./live-foot";
import "./live.css";
import { DataTable, type Column } from "./data-table";
import { Frame, type Width } from "./widget";

// As many as the server's snapshot holds.
const MOST = 100;

export function LiveConversions({ width }: { width: Width }) {
  const { tenant, model, channels, campaigns, timeZone } = useDashboardState();
  const change = useChangeSearch();
  const live = useLiveConversions(tenant);
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
      label: "When",
      by: (row) => toMs(row.conversionTime),
      show: (row) => (
        <button type="button" className="cell-button" onClick={() => change({ conversion: row.conversionId })}>
          {writeTime(toMs(row.conversionTime) ?? 0, timeZone, "second")}
        </button>
      ),
    },
    { id: "type", label: "Type", by: (row) => row.conversionType, show: (row) => row.conversionType },
    {
      id: "value",
      label: "Value",
      numeric: true,
      by: (row) => Number(row.valueMicros),
      show: (row) => write(Number(row.valueMicros), "money", { currency: row.currency }),
    },
    {
      id: "path",
      label: "Path",
      by: (row) => touchesOf(row).length,
      show: (row) => (
        <span className="path">
          {touchesOf(row).map((touch) => (
            <span key={touch.touchpointId} title={touch.campaignId}>
              <i className="swatch" style={{ background: `var(${channelColour(touch.channel)})` }} />
              {channelName(touch.channel)}
            </span>
          ))}
        </span>
      ),
    },
    {
      id: "winner",
      label: `Most credit, ${MODEL_NAMES[model].toLowerCase()}`,
      by: (row) => strongest(touchesOf(row)),
      show: (row) => channelName(strongest(touchesOf(row))),
    },
  ];
  return (
    <Frame
      title="Conversions"
      note={`The newest ${MOST} of the last day${channels.length || campaigns.length ? " with a touch of the selection" : ""}. Click one for its explanation.`}
      width={width}
      footer={<LiveFoot live={live} />}
    >
      {rows.length > 0 ? (
        <DataTable
          caption="Conversions"
          rows={rows}
          columns={columns}
          rowKey={(row) => row.conversionId}
          text={(row) => `${row.conversionType} ${row.conversionId} ${touchesOf(row).map(({ channel, campaignId }) => `${channel} ${campaignId}`).join(" ")}`}
          first={{ column: "time", descending: true }}
          pageSize={8}
        />
      ) : (
        <p className="widget-words" style={{ minHeight: 160 }}>
          {live.known ? "No conversion in the last day has a touch of this selection." : "Waiting for the first conversions…"}
        </p>
      )}
    </Frame>
  );
}

function strongest(touches: { channel: string; weight: number }[]): string {
  return touches.reduce((best, touch) => (touch.weight > best.weight ? touch : best), { channel: "", weight: -1 }).channel;
}
