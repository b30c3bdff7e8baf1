/** The foot of a live widget: how it is connected, and how old what it shows is. */
import { TriangleAlert } from "lucide-react";
import type { LiveState } from "../data/live-stream";
import { useNow } from "../data/now";
import { writeAge } from "../figures/format";
import { words } from "../language/words";

export function LiveFoot({ live }: { live: LiveState<unknown> }) {
  const now = useNow();
  const age = live.heardAt === undefined ? undefined : writeAge(now - live.heardAt);
  const changed = live.changedAt === undefined ? "" : words.connection.lastChange(writeAge(now - live.changedAt));
  if (live.phase === "live") return <span>{words.connection.footLive(changed)}</span>;
  if (live.phase === "events") return <span>{words.connection.footEvents(changed)}</span>;
  if (live.phase === "connecting" && age === undefined) return <span>{words.connection.connecting}</span>;
  const { footPolling: polling, stalled, offline, reconnecting: connecting } = words.connection;
  const said = { polling, stalled, offline, connecting }[live.phase];
  return (
    <span className="warning">
      <TriangleAlert size={13} aria-hidden />
      {said}. {age === undefined ? words.connection.footNothing : words.connection.lastHeard(age)}
    </span>
  );
}
