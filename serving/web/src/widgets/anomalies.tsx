/** Values that lie far from their seasonal baseline. */
import { useAnomalies } from "../data/platform-queries";
import { toMs } from "../data/protobuf-time";
import { useCrossFilter, useDashboardState } from "../filters/search-state";
import { channelName } from "../figures/channels";
import { writeSigned, writeTime } from "../figures/format";
import { words } from "../language/words";
import { Widget, type Width } from "./widget";
import "./figures.css";

const MOST = 8;

export function Anomalies({ width }: { width: Width }) {
  const { timeZone } = useDashboardState();
  const filter = useCrossFilter();
  const query = useAnomalies();
  return (
    <Widget
      title={words.anomalies.title}
      note={words.anomalies.note}
      width={width}
      query={query}
      height={240}
      isEmpty={(anomalies) => anomalies.length === 0}
      empty={words.anomalies.empty}
      table={(anomalies) => ({
        columns: [{ label: words.anomalies.when }, { label: words.filters.campaign }, { label: words.filters.channel }, { label: words.filters.metric }, { label: words.common.value, numeric: true }, { label: words.anomalies.expected, numeric: true }, { label: words.anomalies.deviations, numeric: true }],
        rows: anomalies.map((one, at) => ({
          key: String(at),
          cells: [
            { text: writeTime(toMs(one.bucketStart) ?? 0, timeZone) },
            { text: one.campaignId },
            { text: channelName(one.channel) },
            { text: one.metric },
            { text: String(one.value) },
            { text: String(one.expected) },
            { text: writeSigned(one.deviations, 1) },
          ],
        })),
      })}
    >
      {(anomalies) => (
        <ul className="anomalies">
          {anomalies.slice(0, MOST).map((one, at) => (
            <li key={at}>
              <button type="button" className="cell-button" onClick={() => filter("campaign", one.campaignId)}>
                {one.campaignId}
              </button>
              <span>{one.metric.replaceAll("_", " ")}</span>
              <small>{writeTime(toMs(one.bucketStart) ?? 0, timeZone)}</small>
              <b className="figure">{words.anomalies.far(writeSigned(one.deviations, 1))}</b>
            </li>
          ))}
        </ul>
      )}
    </Widget>
  );
}
