/** The live streams of a tenant: current windows, newest conversions, alerts. One of each per page, however many widgets read it.
 *
 * A browser opens few connections to one server, and every stream holds one: streams that no widget reads, or whose page is not
 * visible, are closed, and resumed with their cursor.
 */
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { AlertState, WatchAlertsResponseSchema, type Alert } from "../gen/tributary/v1/alerts_pb";
import { WatchAttributionResponseSchema, type AttributedConversion } from "../gen/tributary/v1/attribution_pb";
import { WatchCampaignMetricsResponseSchema, type CampaignWindow } from "../gen/tributary/v1/campaign_metrics_pb";
import { readEvents } from "./live-events";
import { LiveStream, type LiveMessage, type LiveSource, type LiveState } from "./live-stream";
import { toMs } from "./protobuf-time";
import { readProvenance } from "./freshness";
import { serverNow } from "./server-clock";
import { STREAMING, alerts, attribution, campaigns } from "./services";
import type { Freshness } from "../gen/tributary/v1/freshness_pb";

// The server calls a window current for five minutes.
const WINDOW_MS = 300_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
// As many conversions as the snapshot of the stream holds.
const SNAPSHOT = 100;
// A hidden page closes its streams after this long: changing tabs for a moment costs nothing.
const HIDDEN_MS = 30_000;

type Update<S> = { case: "snapshot" | "changes"; value: S } | { case: "heartbeat"; value: unknown } | { case: undefined; value?: undefined };

function read<S, T>(
  message: { update: Update<S>; resumeCursor: string; freshness?: Freshness | undefined },
  items: (list: S) => T[],
): LiveMessage<T> {
  if (message.freshness) readProvenance(message.freshness);
  const { update, resumeCursor: cursor } = message;
  if (update.case === "snapshot" || update.case === "changes") return { kind: update.case, items: items(update.value), cursor };
  return { kind: "heartbeat", items: [], cursor };
}

function windows(tenantId: string): LiveSource<CampaignWindow> {
  return {
    async *open(resumeCursor, signal) {
      for await (const message of campaigns.watchCampaignMetrics({ tenantId, resumeCursor }, { signal, ...STREAMING }))
        yield read(message, (list) => list.windows);
    },
    async *events(cursor, signal) {
      for await (const message of readEvents(WatchCampaignMetricsResponseSchema, tenantId, "campaigns", cursor, signal)) yield read(message, (list) => list.windows);
    },
    poll: async (signal) => (await campaigns.getCurrentCampaignMetrics({ tenantId }, { signal })).windows,
    key: (window) => `${window.campaignId}\n${window.channel}\n${window.currency}`,
    expired: (window) => serverNow() - (toMs(window.windowEnd) ?? 0) > WINDOW_MS,
  };
}

function conversions(tenantId: string): LiveSource<AttributedConversion> {
  return {
    async *open(resumeCursor, signal) {
      for await (const message of attribution.watchAttribution({ tenantId, resumeCursor }, { signal, ...STREAMING }))
        yield read(message, (list) => list.conversions);
    },
    async *events(cursor, signal) {
      for await (const message of readEvents(WatchAttributionResponseSchema, tenantId, "attribution", cursor, signal)) yield read(message, (list) => list.conversions);
    },
    poll: async (signal) => {
      const range = { last: { seconds: BigInt(DAY_MS / 1000), nanos: 0 } };
      return (await attribution.listConversions({ tenantId, range, pageSize: SNAPSHOT }, { signal })).conversions;
    },
    key: (conversion) => conversion.conversionId,
    expired: (conversion) => serverNow() - (toMs(conversion.conversionTime) ?? 0) > DAY_MS,
  };
}

function raisedAlerts(tenantId: string): LiveSource<Alert> {
  return {
    async *open(resumeCursor, signal) {
      for await (const message of alerts.watchAlerts({ tenantId, resumeCursor }, { signal, ...STREAMING }))
        yield read(message, (list) => list.alerts);
    },
    async *events(cursor, signal) {
      for await (const message of readEvents(WatchAlertsResponseSchema, tenantId, "alerts", cursor, signal)) yield read(message, (list) => list.alerts);
    },
    poll: async (signal) => (await alerts.listAlerts({ tenantId, pageSize: 200 }, { signal })).alerts,
    key: (alert) => alert.alertId,
    expired: (alert) => alert.state === AlertState.CLEARED && serverNow() - (toMs(alert.updatedAt) ?? 0) > HOUR_MS,
  };
}

interface Held {
  stream: LiveStream<unknown>;
  readers: number;
  closing: ReturnType<typeof setTimeout> | undefined;
}

const held = new Map<string, Held>();
// Pages that follow one another keep a stream: it is closed when nobody has read it for this long.
const LINGER_MS = 2_000;

function hold(name: string, make: () => LiveSource<unknown>): Held {
  let found = held.get(name);
  if (!found) {
    found = { stream: new LiveStream(make()), readers: 0, closing: undefined };
    held.set(name, found);
  }
  return found;
}

let hiddenTimer: ReturnType<typeof setTimeout> | undefined;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) {
    hiddenTimer = setTimeout(() => held.forEach(({ stream }) => stream.stop()), HIDDEN_MS);
  } else {
    held.forEach(({ stream, readers }) => readers > 0 && stream.start());
  }
});

/** `wanted` is false where the caller may not see the stream. */
function useLive<T>(kind: string, tenant: string, wanted: boolean, source: (tenant: string) => LiveSource<T>): LiveState<T> {
  const name = `${kind}\n${tenant}`;
  const entry = useMemo(() => hold(name, () => source(tenant) as LiveSource<unknown>), [name, source, tenant]);
  useEffect(() => {
    if (!tenant || !wanted) return;
    entry.readers += 1;
    clearTimeout(entry.closing);
    held.set(name, entry);
    entry.stream.start();
    return () => {
      entry.readers -= 1;
      if (entry.readers > 0) return;
      entry.closing = setTimeout(() => {
        entry.stream.stop();
        held.delete(name);
      }, LINGER_MS);
    };
  }, [entry, name, tenant, wanted]);
  return useSyncExternalStore(entry.stream.subscribe, entry.stream.getState) as LiveState<T>;
}

export const useLiveWindows = (tenant: string): LiveState<CampaignWindow> => useLive("windows", tenant, true, windows);
export const useLiveConversions = (tenant: string, wanted: boolean): LiveState<AttributedConversion> => useLive("conversions", tenant, wanted, conversions);
export const useLiveAlerts = (tenant: string): LiveState<Alert> => useLive("alerts", tenant, true, raisedAlerts);
