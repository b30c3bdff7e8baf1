/** The foot of a live widget: how it is connected, and how old what it shows is. */
import { TriangleAlert } from "lucide-react";
import type { LiveState } from "../data/live-stream";
import { useNow } from "../data/now";
import { writeAge } from "../figures/format";

export function LiveFoot({ live }: { live: LiveState<unknown> }) {
  const now = useNow();
  const age = live.heardAt === undefined ? undefined : writeAge(now - live.heardAt);
  const changed = live.changedAt === undefined ? "" : `, last change ${writeAge(now - live.changedAt)} ago`;
  if (live.phase === "live") return <span>Live{changed}</span>;
  if (live.phase === "connecting" && age === undefined) return <span>Connecting</span>;
  const words = { polling: "Asked every 5 s, as streams fail", stalled: "Stalled, reconnecting", offline: "Offline", connecting: "Reconnecting" }[live.phase];
  return (
    <span className="warning">
      <TriangleAlert size={13} aria-hidden />
      {words}. {age === undefined ? "Nothing is known yet." : `Last heard ${age} ago.`}
    </span>
  );
}
