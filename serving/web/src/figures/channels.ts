/** The channels, their names, and the colour that each has everywhere (Okabe and Ito's palette, darkened or lightened to
 * reach 3:1 on each theme's ground). */
import { words } from "../language/words";
export const CHANNELS = ["email", "social", "display", "search", "video", "native"] as const;

const COLOUR: Record<string, string> = {
  search: "--series-1",
  social: "--series-2",
  email: "--series-3",
  display: "--series-4",
  video: "--series-5",
  native: "--series-6",
};

export function channelName(channel: string): string {
  if (!channel) return words.common.noChannel;
  if (channel === "unattributed") return words.common.unattributed;
  return words.channels[channel] ?? channel.charAt(0).toUpperCase() + channel.slice(1);
}

/** The custom property that holds a channel's colour. */
export function channelColour(channel: string): string {
  return COLOUR[channel] ?? "--series-7";
}

/** Colours of things that are not channels, in the order of their weight. */
export const SERIES = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6", "--series-7"];
