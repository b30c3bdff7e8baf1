/** What the platform says about itself: records counted, refusals, freshness, stores. */
import { CircleAlert, CircleCheck, CircleDashed } from "lucide-react";
import { Stage } from "../gen/tributary/v1/quality_pb";
import { describe } from "../data/errors";
import { useCounts, useReadiness, useStageFreshness } from "../data/platform-queries";
import { lengthMs, toMs } from "../data/protobuf-time";
import { useDashboardState } from "../filters/search-state";
import { write, writeAge, writeTime } from "../figures/format";
import { Gauge } from "./gauge";
import { Frame, Widget, type Width } from "./widget";
import "./breakdown.css";
import "./live.css";

export function RecordCounts({ width }: { width: Width }) {
  const query = useCounts();
  return (
    <Widget
      title="Records"
      note="By the time the broker received them. Received = valid + quarantined; valid = accepted + duplicates."
      width={width}
      query={query}
      height={70}
      isEmpty={({ received }) => received === 0n}
      empty="No record was received in this range."
      table={(counts) => ({
        columns: [{ label: "Outcome" }, { label: "Records", numeric: true }],
        rows: (["received", "valid", "accepted", "duplicates", "quarantined", "late"] as const).map((name) => ({
          key: name,
          cells: [{ text: name }, { text: write(Number(counts[name]), "count"), raw: counts[name] }],
        })),
      })}
    >
      {(counts) => {
        const of = (part: bigint, whole: bigint) => (whole > 0n ? write(Number(part) / Number(whole), "share") : "");
        return (
          <dl className="counts">
            <Count name="Received" value={counts.received} note="all records" />
            <Count name="Accepted" value={counts.accepted} note={`${of(counts.accepted, counts.received)} of received`} />
            <Count name="Duplicates" value={counts.duplicates} note={`${of(counts.duplicates, counts.valid)} of valid`} />
            <Count name="Quarantined" value={counts.quarantined} note={`${of(counts.quarantined, counts.received)} of received`} />
            <Count name="Late" value={counts.late} note={`${of(counts.late, counts.accepted)} of accepted; they count`} />
          </dl>
        );
      }}
    </Widget>
  );
}

function Count({ name, value, note }: { name: string; value: bigint; note: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="figure" data-testid={`count-${name.toLowerCase()}`} data-raw={String(value)}>
        {write(Number(value), "count")}
        <small>{note}</small>
      </dd>
    </div>
  );
}

export function QuarantineGauge({ width }: { width: Width }) {
  const query = useCounts();
  return (
    <Widget title="Quarantine rate" note="Refused of all records" width={width} query={query} height={170} isEmpty={({ received }) => received === 0n} empty="No record was received in this range.">
      {({ quarantined, received }) => {
        const rate = Number(quarantined) / Number(received);
        return (
          <Gauge
            label="Quarantine rate"
            value={rate * 100}
            low={0}
            high={10}
            written={write(rate, "share")}
            // The alert is raised above 5 % and cleared at 2 %, as in udfs/alerting/rules.py.
            thresholds={[
              { from: 0, word: "Good: below 2 %", tone: "good" },
              { from: 2, word: "Raised: below the alert mark of 5 %", tone: "warn" },
              { from: 5, word: "High: above the alert mark of 5 %", tone: "bad" },
            ]}
          />
        );
      }}
    </Widget>
  );
}

export function QuarantineReasons({ width }: { width: Width }) {
  const query = useCounts();
  return (
    <Widget
      title="Why records were quarantined"
      note="A record that broke several rules counts in each"
      width={width}
      query={query}
      height={170}
      isEmpty={({ quarantinedByReason }) => quarantinedByReason.length === 0}
      empty="No record was quarantined in this range."
      table={({ quarantinedByReason }) => ({
        columns: [{ label: "Reason" }, { label: "Records", numeric: true }],
        rows: quarantinedByReason.map(({ reason, events }) => ({ key: reason, cells: [{ text: reason }, { text: write(Number(events), "count"), raw: events }] })),
      })}
    >
      {({ quarantinedByReason }) => {
        const sorted = [...quarantinedByReason].sort((a, b) => Number(b.events - a.events));
        const most = Number(sorted[0]?.events ?? 1n);
        return (
          <ul className="bars bars-still">
            {sorted.slice(0, 8).map(({ reason, events }) => (
              <li key={reason}>
                <span className="bars-name">{reason.replaceAll("_", " ")}</span>
                <b className="figure">{write(Number(events), "count")}</b>
                <span className="bars-track" aria-hidden>
                  <i style={{ width: `${(Number(events) / most) * 100}%`, background: "var(--series-2)" }} />
                </span>
              </li>
            ))}
          </ul>
        );
      }}
    </Widget>
  );
}

// What each stage is, and the age above which its figures are old: the promises of docs and SPEC B9, C7, with the time that a
// quiet stream may take between two records.
const STAGES: Partial<Record<Stage, { name: string; what: string; oldMs: number }>> = {
  [Stage.INGEST]: { name: "Ingest", what: "Records counted at the door", oldMs: 60_000 },
  [Stage.WINDOWS]: { name: "Windows", what: "Sums of five seconds", oldMs: 60_000 },
  [Stage.ROLLUPS]: { name: "Roll-ups", what: "Closed minutes", oldMs: 180_000 },
  [Stage.ATTRIBUTION]: { name: "Attribution", what: "Attributed conversions", oldMs: 300_000 },
  [Stage.LIVE]: { name: "Live signals", what: "Signals that reached this server", oldMs: 60_000 },
};

export function Stages({ width }: { width: Width }) {
  const { timeZone } = useDashboardState();
  const query = useStageFreshness();
  return (
    <Widget
      title="Freshness by stage"
      note="How old the newest figure of each stage is"
      width={width}
      query={query}
      height={260}
      isEmpty={(stages) => stages.length === 0}
      empty="No stage has reported."
      table={(stages) => ({
        columns: [{ label: "Stage" }, { label: "Newest figure" }, { label: "Age in seconds", numeric: true }],
        rows: stages.map((stage) => ({
          key: String(stage.stage),
          cells: [
            { text: STAGES[stage.stage]?.name ?? "Unknown" },
            { text: stage.newest ? writeTime(toMs(stage.newest) ?? 0, timeZone, "second") : "none" },
            { text: stage.newest ? write(lengthMs(stage.age) / 1000, "count") : "", raw: stage.newest ? lengthMs(stage.age) / 1000 : "" },
          ],
        })),
      })}
    >
      {(stages) => (
        <ul className="stages">
          {stages.map((stage) => {
            const known = STAGES[stage.stage];
            const age = stage.newest ? lengthMs(stage.age) : undefined;
            const old = age !== undefined && known !== undefined && age > known.oldMs;
            const Icon = age === undefined ? CircleDashed : old ? CircleAlert : CircleCheck;
            return (
              <li key={stage.stage} data-tone={age === undefined ? undefined : old ? "warn" : "good"}>
                <Icon size={16} aria-hidden />
                <div>
                  {known?.name ?? "Unknown stage"}
                  <small>{known?.what}</small>
                </div>
                <div data-numeric>
                  <b className="figure">{age === undefined ? "Nothing in two days" : writeAge(age)}</b>
                  {age !== undefined && <small>{old ? "Old, or nothing happens" : "Fresh"}</small>}
                </div>
              </li>
            );
          })}
        </ul>
      )}
    </Widget>
  );
}

export function Stores({ width }: { width: Width }) {
  const query = useReadiness();
  const parts = [
    { name: "History", what: "ClickHouse: figures of the past", up: query.data?.history },
    { name: "Current windows", what: "Redis: figures of now", up: query.data?.hot_store },
    { name: "This server", what: "Answers calls", up: query.data?.ready },
  ];
  return (
    <Frame title="Stores" note="Whether they answer this server, asked every 15 s" width={width}>
      {query.isError && !query.data ? (
        <p className="widget-words" style={{ minHeight: 120 }}>
          <strong>{describe(query.error).title}</strong>
        </p>
      ) : (
        <ul className="stages">
          {parts.map(({ name, what, up }) => {
            const Icon = up === undefined ? CircleDashed : up ? CircleCheck : CircleAlert;
            return (
              <li key={name} data-tone={up === undefined ? undefined : up ? "good" : "bad"}>
                <Icon size={16} aria-hidden />
                <div>
                  {name}
                  <small>{what}</small>
                </div>
                <b>{query.isError ? "Unknown" : up === undefined ? "Asking" : up ? "Answers" : "Does not answer"}</b>
              </li>
            );
          })}
        </ul>
      )}
    </Frame>
  );
}
