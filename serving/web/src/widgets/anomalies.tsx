/** Values that lie far from their seasonal baseline. */
import type { Anomaly } from "../gen/tributary/v1/alerts_pb";
import { useAnomalies } from "../data/platform-queries";
import { toMs } from "../data/protobuf-time";
import { useCrossFilter, useDashboardState } from "../filters/search-state";
import { channelName } from "../figures/channels";
import { write, writeSigned, writeTime } from "../figures/format";
import { METRICS, type MetricId } from "../figures/metrics";
import { words } from "../language/words";
import { Widget, type Width } from "./widget";
import "./figures.css";

const MOST = 8;

// As the pipeline names what it watches, where that is not the name of the metric.
const NAMED: Record<string, MetricId> = { cost_micros: "spend", revenue_micros: "revenue" };

function metricOf(name: string): (typeof METRICS)[MetricId] | undefined {
  const id = NAMED[name] ?? name;
  return Object.hasOwn(METRICS, id) ? METRICS[id as MetricId] : undefined;
}

const nameOf = ({ metric }: Anomaly): string => metricOf(metric)?.label ?? metric.replaceAll("_", " ");

function written({ metric, currency }: Anomaly, value: number): string {
  const known = metricOf(metric);
  return known ? write(value, known.unit, { currency }) : String(value);
}

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
            { text: nameOf(one) },
            { text: written(one, one.value), raw: one.value },
            { text: written(one, one.expected), raw: one.expected },
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
              <span>{nameOf(one)}</span>
              <small>{writeTime(toMs(one.bucketStart) ?? 0, timeZone)}</small>
              <b className="figure">{words.anomalies.far(writeSigned(one.deviations, 1))}</b>
            </li>
          ))}
        </ul>
      )}
    </Widget>
  );
}
