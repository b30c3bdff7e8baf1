/** The newest five-second window of each active campaign, live. */
import type { CampaignWindow } from "../gen/tributary/v1/campaign_metrics_pb";
import { useLiveWindows } from "../data/live";
import { useNow } from "../data/now";
import { toMs } from "../data/protobuf-time";
import { serverNow } from "../data/server-clock";
import { useCrossFilter, useDashboardState } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { write, writeAge } from "../figures/format";
import { METRICS, readSums, shortName, valueOf, type MetricId } from "../figures/metrics";
import { DataTable, type Column } from "./data-table";
import { LiveFoot } from "./live-foot";
import "./live.css";
import { Frame, type Width } from "./widget";

const SHOWN: MetricId[] = ["impressions", "clicks", "conversions", "revenue", "spend", "score"];

export function useSelectedWindows() {
  const { tenant, channels, campaigns, currency } = useDashboardState();
  const live = useLiveWindows(tenant);
  const windows = [...live.items.values()].filter(
    (window) =>
      (channels.length === 0 || channels.includes(window.channel)) &&
      (campaigns.length === 0 || campaigns.includes(window.campaignId)) &&
      (currency === undefined || window.currency === currency),
  );
  return { live, windows };
}

export function CurrentWindows({ width }: { width: Width }) {
  const filter = useCrossFilter();
  const { live, windows } = useSelectedWindows();
  useNow();
  const columns: Column<CampaignWindow>[] = [
    {
      id: "campaign",
      label: "Campaign",
      by: (row) => row.campaignId,
      show: (row) => (
        <button type="button" className="cell-button" onClick={() => filter("campaign", row.campaignId)}>
          <i className="swatch" style={{ background: `var(${channelColour(row.channel)})` }} />
          {row.campaignId}
        </button>
      ),
    },
    { id: "channel", label: "Channel", by: (row) => row.channel, show: (row) => channelName(row.channel) },
    ...SHOWN.map((id): Column<CampaignWindow> => {
      const { unit } = METRICS[id];
      const value = (row: CampaignWindow) => valueOf(id, readSums(row.sums), row.kpis);
      return {
        id,
        label: shortName(METRICS[id]),
        numeric: true,
        by: value,
        show: (row) => (
          <span key={String(value(row))} className="changed" data-testid={id === "clicks" ? `clicks-${row.campaignId}` : undefined}>
            {write(value(row), unit, { currency: row.currency })}
          </span>
        ),
      };
    }),
    {
      id: "age",
      label: "Age",
      numeric: true,
      by: (row) => -(toMs(row.windowEnd) ?? 0),
      show: (row) => writeAge(serverNow() - (toMs(row.windowEnd) ?? 0)),
    },
  ];
  return (
    <Frame title="Active now" note="The newest five seconds of each campaign that was active in the last five minutes" width={width} footer={<LiveFoot live={live} />}>
      {windows.length > 0 ? (
        <DataTable
          caption="Active campaigns"
          rows={windows}
          columns={columns}
          rowKey={(row) => `${row.campaignId}\n${row.channel}\n${row.currency}`}
          text={(row) => `${row.campaignId} ${row.channel}`}
          first={{ column: "campaign", descending: false }}
        />
      ) : (
        <p className="widget-words" style={{ minHeight: 200 }}>
          {live.known ? "No campaign of the selection was active in the last five minutes." : "Waiting for the first windows…"}
        </p>
      )}
    </Frame>
  );
}

/** How much happens now: sums over the newest windows. */
export function Pulse({ width }: { width: Width }) {
  const { live, windows } = useSelectedWindows();
  const now = serverNow();
  useNow();
  // A window that ended this long ago is not "now" any more.
  const recent = windows.filter((window) => now - (toMs(window.windowEnd) ?? 0) < 30_000);
  const sum = (pick: (window: CampaignWindow) => bigint | undefined) => recent.reduce((total, window) => total + Number(pick(window) ?? 0n), 0);
  const figures = [
    { name: "Campaigns active", value: new Set(recent.map(({ campaignId }) => campaignId)).size },
    { name: "Events", value: sum(({ sums }) => sums?.events) },
    { name: "Clicks", value: sum(({ sums }) => sums?.clicks) },
    { name: "Conversions", value: sum(({ sums }) => sums?.conversions) },
  ];
  return (
    <Frame title="Right now" note="In the newest five seconds of each campaign, none older than 30 s" width={width} footer={<LiveFoot live={live} />}>
      <dl className="pulse">
        {figures.map(({ name, value }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="figure" data-testid={`pulse-${name.toLowerCase().replace(" ", "-")}`}>
              <span key={value} className="changed">
                {write(value, "count")}
              </span>
            </dd>
          </div>
        ))}
      </dl>
    </Frame>
  );
}
