/** What the filters select, and how often it is read again: the part that all queries have in common. */
import { createContext, useContext } from "react";
import type { Refresh } from "../filters/search-state";
import { useDashboardState, type DashboardState } from "../filters/search-state";
import { spanBefore, spanOf, writeRange, type Span } from "../filters/date-range";
import { serverNow } from "./server-clock";
import { fromMs } from "./protobuf-time";

/** The refresh time of the template that is shown, used unless the address names another. */
export const DefaultRefresh = createContext<Refresh>("300");

export function useRefresh(): Refresh {
  const byTemplate = useContext(DefaultRefresh);
  return useDashboardState().refresh ?? byTemplate;
}

// While figures are live, changes bring new reads; this is for what changes without a signal, such as a range that moves on.
const LIVE_POLL_MS = 10_000;

export function refreshMs(refresh: Refresh): number | false {
  if (refresh === "off") return false;
  return refresh === "live" ? LIVE_POLL_MS : Number(refresh) * 1000;
}

/** Which of the two periods a figure is of. */
export type Period = "now" | "before";

export function span(state: DashboardState, period: Period): Span {
  const present = spanOf(state.range, state.timeZone, serverNow());
  return period === "now" ? present : spanBefore(state.range, present, state.timeZone);
}

export function timeRange({ start, end }: Span): { startTime: ReturnType<typeof fromMs>; endTime: ReturnType<typeof fromMs> } {
  return { startTime: fromMs(start), endTime: fromMs(end) };
}

export function campaignSelection(state: DashboardState): { campaignIds: string[]; channels: string[]; currencies: string[] } {
  return { campaignIds: state.campaigns, channels: state.channels, currencies: state.currency ? [state.currency] : [] };
}

/** The part of a query's key that the filters make. */
export function rangeKey(state: DashboardState): string {
  return `${writeRange(state.range)} ${state.timeZone}`;
}

export function selectionKey(state: DashboardState): string {
  return JSON.stringify(campaignSelection(state));
}
