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
import { words } from "../language/words";

type Tone = "good" | "warn" | "bad" | "neutral";

const TONES: Record<Phase, Tone> = { live: "good", events: "good", connecting: "neutral", stalled: "warn", polling: "warn", offline: "bad" };
// Phases in which figures come, if not by the first way.
const COMING: ReadonlySet<Phase> = new Set(["live", "events", "polling"]);

// A connection that comes back this fast is not worth a message.
const PATIENCE_MS = 6_000;

export function ConnectionStatus() {
  const { tenant } = useDashboardState();
  const { phase, heardAt } = useLiveAlerts(tenant);
  const online = useOnline();
  const now = useNow();
  const since = useSince(phase);
  const shown: Phase = online ? phase : "offline";
  const lost = shown === "offline" || (!COMING.has(shown) && now - since > PATIENCE_MS);
  const [text, tone] = lost && shown === "connecting" ? ([words.connection.noAnswer, "bad"] as const) : ([words.connection[shown], TONES[shown]] as const);
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
  const age = last > 0 ? words.connection.lastKnown(writeAge(now - last)) : words.connection.nothingKnown;
  return (
    <div className="banner banner-lost" data-tone={offline ? "bad" : "warn"} role="status">
      {offline ? <CloudOff size={15} aria-hidden /> : <TriangleAlert size={15} aria-hidden />}
      {offline ? words.connection.youAreOffline : words.connection.serverSilent} {age}
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
