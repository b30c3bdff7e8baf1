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
import { words } from "../language/words";

export function RecordCounts({ width }: { width: Width }) {
  const query = useCounts();
  return (
    <Widget
      title={words.platform.records}
      note={words.platform.recordsNote}
      width={width}
      query={query}
      subject="operations"
      height={70}
      isEmpty={({ received }) => received === 0n}
      empty={words.platform.noRecord}
      table={(counts) => ({
        columns: [{ label: words.platform.outcome }, { label: words.platform.records, numeric: true }],
        rows: (["received", "valid", "accepted", "duplicates", "quarantined", "late"] as const).map((name) => ({
          key: name,
          cells: [{ text: words.platform.outcomes[name] }, { text: write(Number(counts[name]), "count"), raw: counts[name] }],
        })),
      })}
    >
      {(counts) => {
        const of = (part: bigint, whole: bigint) => (whole > 0n ? write(Number(part) / Number(whole), "share") : "");
        return (
          <dl className="counts">
            <Count id="received" value={counts.received} note={words.platform.allRecords} />
            <Count id="accepted" value={counts.accepted} note={words.platform.ofReceived(of(counts.accepted, counts.received))} />
            <Count id="duplicates" value={counts.duplicates} note={words.platform.ofValid(of(counts.duplicates, counts.valid))} />
            <Count id="quarantined" value={counts.quarantined} note={words.platform.ofReceived(of(counts.quarantined, counts.received))} />
            <Count id="late" value={counts.late} note={words.platform.ofAccepted(of(counts.late, counts.accepted))} />
          </dl>
        );
      }}
    </Widget>
  );
}

function Count({ id, value, note }: { id: keyof typeof words.platform.outcomes; value: bigint; note: string }) {
  return (
    <div>
      <dt>{words.platform.outcomes[id]}</dt>
      <dd className="figure" data-testid={`count-${id}`} data-raw={String(value)}>
        {write(Number(value), "count")}
        <small>{note}</small>
      </dd>
    </div>
  );
}

export function QuarantineGauge({ width }: { width: Width }) {
  const query = useCounts();
  return (
    <Widget title={words.platform.quarantineRate} note={words.platform.refusedOfAll} width={width} query={query} subject="operations" height={170} isEmpty={({ received }) => received === 0n} empty={words.platform.noRecord}>
      {({ quarantined, received }) => {
        const rate = Number(quarantined) / Number(received);
        return (
          <Gauge
            label={words.platform.quarantineRate}
            value={rate * 100}
            low={0}
            high={10}
            written={write(rate, "share")}
            // The alert is raised above 5 % and cleared at 2 %, as in udfs/alerting/rules.py.
            thresholds={[
              { from: 0, word: words.platform.rateGood, tone: "good" },
              { from: 2, word: words.platform.rateRaised, tone: "warn" },
              { from: 5, word: words.platform.rateHigh, tone: "bad" },
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
      title={words.platform.why}
      note={words.platform.whyNote}
      width={width}
      query={query}
      subject="operations"
      height={170}
      isEmpty={({ quarantinedByReason }) => quarantinedByReason.length === 0}
      empty={words.platform.noQuarantined}
      table={({ quarantinedByReason }) => ({
        columns: [{ label: words.platform.reason }, { label: words.platform.records, numeric: true }],
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
const STAGES: Partial<Record<Stage, { id: keyof typeof words.platform.stages; oldMs: number }>> = {
  [Stage.INGEST]: { id: "ingest", oldMs: 60_000 },
  [Stage.WINDOWS]: { id: "windows", oldMs: 60_000 },
  [Stage.ROLLUPS]: { id: "rollups", oldMs: 180_000 },
  [Stage.ATTRIBUTION]: { id: "attribution", oldMs: 300_000 },
  [Stage.LIVE]: { id: "live", oldMs: 60_000 },
};

const stageWords = (stage: Stage) => {
  const known = STAGES[stage];
  return known && words.platform.stages[known.id];
};

export function Stages({ width }: { width: Width }) {
  const { timeZone } = useDashboardState();
  const query = useStageFreshness();
  return (
    <Widget
      title={words.platform.freshness}
      note={words.platform.freshnessNote}
      width={width}
      query={query}
      height={260}
      isEmpty={(stages) => stages.length === 0}
      empty={words.platform.noStage}
      table={(stages) => ({
        columns: [{ label: words.funnel.stage }, { label: words.platform.newest }, { label: words.platform.ageSeconds, numeric: true }],
        rows: stages.map((stage) => ({
          key: String(stage.stage),
          cells: [
            { text: stageWords(stage.stage)?.name ?? words.common.unknown },
            { text: stage.newest ? writeTime(toMs(stage.newest) ?? 0, timeZone, "second") : words.common.nothing },
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
                  {stageWords(stage.stage)?.name ?? words.platform.unknownStage}
                  <small>{stageWords(stage.stage)?.what}</small>
                </div>
                <div data-numeric>
                  <b className="figure">{age === undefined ? words.platform.nothingInTwoDays : writeAge(age)}</b>
                  {age !== undefined && <small>{old ? words.platform.old : words.platform.fresh}</small>}
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
    { ...words.platform.history, up: query.data?.history },
    { ...words.platform.hotStore, up: query.data?.hot_store },
    { ...words.platform.server, up: query.data?.ready },
  ];
  return (
    <Frame title={words.platform.stores} note={words.platform.storesNote} width={width}>
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
                <b>{query.isError ? words.common.unknown : up === undefined ? words.platform.asking : up ? words.platform.answers : words.platform.silent}</b>
              </li>
            );
          })}
        </ul>
      )}
    </Frame>
  );
}
