/** A value on a scale with thresholds: an arc, its figure, and in words where it lies. */
import "./gauge.css";
import { words } from "../language/words";

export interface Threshold {
  /** From this value on. */
  from: number;
  word: string;
  tone: "good" | "warn" | "bad";
}

interface Props {
  label: string;
  value: number | undefined;
  low: number;
  high: number;
  /** In rising order; the first begins at `low`. */
  thresholds: Threshold[];
  written: string;
}

const RADIUS = 80;
const TURN = Math.PI;

function point(share: number, radius = RADIUS): string {
  const angle = TURN * (1 - share);
  return `${(100 + radius * Math.cos(angle)).toFixed(2)} ${(96 - radius * Math.sin(angle)).toFixed(2)}`;
}

function arc(from: number, to: number): string {
  return `M${point(from)}A${RADIUS} ${RADIUS} 0 0 1 ${point(to)}`;
}

export function Gauge({ label, value, low, high, thresholds, written }: Props) {
  const share = (at: number) => Math.min(1, Math.max(0, (at - low) / (high - low)));
  const place = value === undefined ? undefined : thresholds.findLast(({ from }) => value >= from);
  return (
    <div className="gauge" data-tone={place?.tone}>
      <svg
        viewBox="0 0 200 112"
        role="meter"
        aria-label={label}
        aria-valuemin={low}
        aria-valuemax={high}
        aria-valuenow={value ?? low}
        aria-valuetext={value === undefined ? words.common.noValue : `${written}, ${place?.word ?? ""}`}
      >
        <path className="gauge-track" d={arc(0, 1)} />
        {value !== undefined && share(value) > 0 && <path className="gauge-value" d={arc(0, share(value))} />}
        {thresholds.slice(1).map(({ from }) => (
          <path key={from} className="gauge-tick" d={`M${point(share(from), RADIUS - 12)}L${point(share(from), RADIUS + 12)}`} />
        ))}
      </svg>
      <p className="gauge-figure figure">{written}</p>
      <p className="gauge-word">{value === undefined ? words.score.noValue : place?.word}</p>
    </div>
  );
}
