/** From a channel to its campaigns, their creatives, converted journeys and one journey's events. Where it stands is in the address. */
import { ChevronRight } from "lucide-react";
import { useChangeSearch, useDashboardState } from "../filters/search-state";
import { channelName } from "../figures/channels";
import { words } from "../language/words";
import { BreakdownLevel } from "./drill-breakdown";
import { CreativeLevel, EventLevel, JourneyLevel } from "./drill-journeys";
import type { Width } from "./widget";
import "./drill-down.css";

export interface LevelProps {
  width: Width;
  /** Channel, campaign, creative, customer, journey: as far as it went. */
  path: readonly string[];
  go: (path: readonly string[]) => void;
  crumbs: React.ReactNode;
}

export function DrillDown({ width }: { width: Width }) {
  const { drill } = useDashboardState();
  const change = useChangeSearch();
  const go = (path: readonly string[]) => change({ drill: path.map(encodeURIComponent).join(",") || undefined });
  const level: LevelProps = { width, path: drill, go, crumbs: <Crumbs path={drill} go={go} /> };
  // A customer without a journey is no place.
  switch (drill.length) {
    case 0:
      return <BreakdownLevel {...level} by="channel" />;
    case 1:
      return <BreakdownLevel {...level} by="campaign" />;
    case 2:
      return <CreativeLevel {...level} />;
    case 3:
    case 4:
      return <JourneyLevel {...level} />;
    default:
      return <EventLevel {...level} />;
  }
}

function Crumbs({ path, go }: { path: readonly string[]; go: (path: readonly string[]) => void }) {
  const [channel, campaign, creative, , journey] = path;
  const steps = [
    { name: words.drill.all, to: 0 },
    ...(channel === undefined ? [] : [{ name: channelName(channel), to: 1 }]),
    ...(campaign === undefined ? [] : [{ name: campaign, to: 2 }]),
    ...(creative === undefined ? [] : [{ name: creative || words.drill.noCreative, to: 3 }]),
    ...(journey === undefined ? [] : [{ name: journey, to: 5 }]),
  ];
  return (
    <nav className="crumbs" aria-label={words.drill.path}>
      <ol>
        {steps.map(({ name, to }, at) => (
          <li key={to}>
            {at > 0 && <ChevronRight size={13} aria-hidden />}
            {at + 1 < steps.length ? (
              <button type="button" className="cell-button" onClick={() => go(path.slice(0, to))}>
                {name}
              </button>
            ) : (
              <span aria-current="step">{name}</span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}
