/** The live streams of a tenant: current windows, newest conversions, alerts. One of each per page, however many widgets read it.
 *
 * A browser opens few connections to one server, and every stream holds one: streams that no widget reads, or whose page is not
 * visible, are closed, and resumed with their cursor.
 */
import { useEffect, useMemo, useSyncExternalStore } from "react";
import { AlertState, type Alert } from "../gen/tributary/v1/alerts_pb";
import type { AttributedConversion } from "../gen/tributary/v1/attribution_pb";
import type { CampaignWindow } from "../gen/tributary/v1/campaign_metrics_pb";
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
    // There is no list of conversions to ask for; a stream that sends its snapshot and is left is one.
    poll: async (signal) => {
      for await (const message of attribution.watchAttribution({ tenantId }, { signal, ...STREAMING }))
        if (message.update.case === "snapshot") return message.update.value.conversions;
      return [];
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

function useLive<T>(kind: string, tenant: string, source: (tenant: string) => LiveSource<T>): LiveState<T> {
  const name = `${kind}\n${tenant}`;
  const entry = useMemo(() => hold(name, () => source(tenant) as LiveSource<unknown>), [name, source, tenant]);
  useEffect(() => {
    if (!tenant) return;
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
  }, [entry, name, tenant]);
  return useSyncExternalStore(entry.stream.subscribe, entry.stream.getState) as LiveState<T>;
}

export const useLiveWindows = (tenant: string): LiveState<CampaignWindow> => useLive("windows", tenant, windows);
export const useLiveConversions = (tenant: string): LiveState<AttributedConversion> => useLive("conversions", tenant, conversions);
export const useLiveAlerts = (tenant: string): LiveState<Alert> => useLive("alerts", tenant, raisedAlerts);
