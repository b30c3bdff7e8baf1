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
import { words } from "../language/words";

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
      label: words.filters.campaign,
      by: (row) => row.campaignId,
      show: (row) => (
        <button type="button" className="cell-button" onClick={() => filter("campaign", row.campaignId)}>
          <i className="swatch" style={{ background: `var(${channelColour(row.channel)})` }} />
          {row.campaignId}
        </button>
      ),
    },
    { id: "channel", label: words.filters.channel, by: (row) => row.channel, show: (row) => channelName(row.channel) },
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
      label: words.now.age,
      numeric: true,
      by: (row) => -(toMs(row.windowEnd) ?? 0),
      show: (row) => writeAge(serverNow() - (toMs(row.windowEnd) ?? 0)),
    },
  ];
  return (
    <Frame title={words.now.title} note={words.now.note} width={width} footer={<LiveFoot live={live} />}>
      {windows.length > 0 ? (
        <DataTable
          caption={words.now.caption}
          rows={windows}
          columns={columns}
          rowKey={(row) => `${row.campaignId}\n${row.channel}\n${row.currency}`}
          text={(row) => `${row.campaignId} ${row.channel}`}
          first={{ column: "campaign", descending: false }}
        />
      ) : (
        <p className="widget-words" style={{ minHeight: 200 }}>
          {live.known ? words.now.none : words.now.waiting}
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
    { id: "campaigns-active", name: words.now.campaignsActive, value: new Set(recent.map(({ campaignId }) => campaignId)).size },
    { id: "events", name: words.now.events, value: sum(({ sums }) => sums?.events) },
    { id: "clicks", name: METRICS.clicks.label, value: sum(({ sums }) => sums?.clicks) },
    { id: "conversions", name: METRICS.conversions.label, value: sum(({ sums }) => sums?.conversions) },
  ];
  return (
    <Frame title={words.now.pulse} note={words.now.pulseNote} width={width} footer={<LiveFoot live={live} />}>
      <dl className="pulse">
        {figures.map(({ id, name, value }) => (
          <div key={id}>
            <dt>{name}</dt>
            <dd className="figure" data-testid={`pulse-${id}`}>
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
