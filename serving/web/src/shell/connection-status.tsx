/** What the page says about its connection, in words and with the age of what is shown. */
import { CloudOff, TriangleAlert } from "lucide-react";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useLiveAlerts } from "../data/live";
import type { Phase } from "../data/live-stream";
import { useNow } from "../data/now";
import { useOnline } from "../data/online";
import { useDashboardState } from "../filters/search-state";
import { writeAge } from "../figures/format";

type Tone = "good" | "warn" | "bad" | "neutral";

const WORDS: Record<Phase, [text: string, tone: Tone]> = {
  live: ["Live", "good"],
  connecting: ["Connecting", "neutral"],
  stalled: ["Stalled, reconnecting", "warn"],
  polling: ["Streams fail, asking every 5 s", "warn"],
  offline: ["Offline", "bad"],
};

// A connection that comes back this fast is not worth a message.
const PATIENCE_MS = 6_000;

export function ConnectionStatus() {
  const { tenant } = useDashboardState();
  const { phase, heardAt } = useLiveAlerts(tenant);
  const online = useOnline();
  const now = useNow();
  const since = useSince(phase);
  const shown: Phase = online ? phase : "offline";
  const lost = shown === "offline" || (shown !== "live" && shown !== "polling" && now - since > PATIENCE_MS);
  const [text, tone] = lost && shown === "connecting" ? (["No answer", "bad"] as const) : WORDS[shown];
  return (
    <>
      <span className="status" data-tone={tone} data-testid="connection" role="status">
        <span className="status-dot" aria-hidden />
        {text}
      </span>
      {lost && <LostBanner offline={shown === "offline"} heardAt={heardAt} now={now} />}
    </>
  );
}

function LostBanner({ offline, heardAt, now }: { offline: boolean; heardAt: number | undefined; now: number }) {
  const oldest = useNewestAnswer();
  const last = Math.max(heardAt ?? 0, oldest ?? 0);
  const age = last > 0 ? `The figures are the last known ones, ${writeAge(now - last)} old.` : "No figures are known yet.";
  return (
    <div className="banner banner-lost" data-tone={offline ? "bad" : "warn"} role="status">
      {offline ? <CloudOff size={15} aria-hidden /> : <TriangleAlert size={15} aria-hidden />}
      {offline ? "You are offline." : "The server does not answer; the page keeps asking."} {age}
    </div>
  );
}

/** When the newest answer that is still known was read. */
function useNewestAnswer(): number | undefined {
  const client = useQueryClient();
  const times = client
    .getQueryCache()
    .getAll()
    .map(({ state }) => state.dataUpdatedAt);
  return times.length ? Math.max(...times) : undefined;
}

function useSince(value: unknown): number {
  const [since, setSince] = useState(() => Date.now());
  useEffect(() => setSince(Date.now()), [value]);
  return since;
}
