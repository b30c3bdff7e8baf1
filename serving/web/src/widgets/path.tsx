/** The touches of a conversion in their order, by channel. */
import type { CreditedTouch } from "../gen/tributary/v1/attribution_pb";
import { channelColour, channelName } from "../figures/channels";
import "./live.css";

export function Path({ touches }: { touches: readonly CreditedTouch[] }) {
  return (
    <span className="path">
      {touches.map((touch) => (
        <span key={touch.touchpointId} title={touch.campaignId}>
          <i className="swatch" style={{ background: `var(${channelColour(touch.channel)})` }} />
          {channelName(touch.channel)}
        </span>
      ))}
    </span>
  );
}
