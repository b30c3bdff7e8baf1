/** Alerts as a timeline: when each was opened, how long it lasted, and what it says. */
import { AlertOctagon, AlertTriangle, CircleCheck, Info } from "lucide-react";
import type { UseQueryResult } from "@tanstack/react-query";
import { ownHeight } from "../charts/own-height";
import { AlertSeverity, AlertState, type Alert } from "../gen/tributary/v1/alerts_pb";
import type { Answer } from "../data/campaign-queries";
import { useLiveAlerts } from "../data/live";
import { useAlertHistory } from "../data/platform-queries";
import { toMs } from "../data/protobuf-time";
import { serverNow } from "../data/server-clock";
import { useCrossFilter, useDashboardState } from "../filters/search-state";
import { channelName } from "../figures/channels";
import { write, writeAge, writeTime } from "../figures/format";
import { METRICS, nameInText, type MetricId } from "../figures/metrics";
import { Widget, type Width } from "./widget";
import "./alert-timeline.css";
import { words } from "../language/words";

const SEVERITY: Record<AlertSeverity, { word: keyof typeof words.alerts.severities; icon: typeof Info; tone: string; rank: number }> = {
  [AlertSeverity.CRITICAL]: { word: "critical", icon: AlertOctagon, tone: "bad", rank: 3 },
  [AlertSeverity.WARNING]: { word: "warning", icon: AlertTriangle, tone: "warn", rank: 2 },
  [AlertSeverity.INFO]: { word: "info", icon: Info, tone: "neutral", rank: 1 },
  [AlertSeverity.UNSPECIFIED]: { word: "other", icon: Info, tone: "neutral", rank: 0 },
};
const MOST = 30;

/** Alerts of the range, with the live ones over those that were read. */
function useAlerts(): UseQueryResult<Answer<Alert[]>> {
  const { tenant, campaigns } = useDashboardState();
  const query = useAlertHistory();
  const live = useLiveAlerts(tenant);
  if (!query.data) return query;
  const { start } = query.data.span;
  const all = new Map(query.data.value.map((alert) => [alert.alertId, alert]));
  for (const alert of live.items.values()) {
    const wanted = campaigns.length === 0 || campaigns.includes(alert.campaignId);
    const known = all.get(alert.alertId);
    if (wanted && (toMs(alert.openedAt) ?? 0) >= start && (toMs(alert.updatedAt) ?? 0) >= (toMs(known?.updatedAt) ?? 0)) all.set(alert.alertId, alert);
  }
  const value = [...all.values()].sort((a, b) => rank(b) - rank(a) || (toMs(b.openedAt) ?? 0) - (toMs(a.openedAt) ?? 0));
  return { ...query, data: { ...query.data, value } } as UseQueryResult<Answer<Alert[]>>;
}

/** Raised before cleared, then by severity. */
function rank(alert: Alert): number {
  return alert.state === AlertState.RAISED ? 10 + SEVERITY[alert.severity].rank : 0;
}

export function AlertTimeline({ width, height = 300 }: { width: Width; height?: number }) {
  const { timeZone } = useDashboardState();
  const query = useAlerts();
  const raised = query.data?.value.filter(({ state }) => state === AlertState.RAISED).length ?? 0;
  return (
    <Widget
      title={words.alerts.title}
      note={query.data ? words.alerts.count(raised, query.data.value.length - raised) : words.alerts.note}
      width={width}
      query={query}
      height={height}
      isEmpty={(alerts) => alerts.length === 0}
      empty={words.alerts.empty}
      table={(alerts) => ({
        columns: [{ label: words.alerts.opened }, { label: words.alerts.state }, { label: words.alerts.severity }, { label: words.alerts.rule }, { label: words.filters.campaign }, { label: words.filters.metric }, { label: words.common.value, numeric: true }, { label: words.alerts.threshold, numeric: true }, { label: words.alerts.message }],
        rows: alerts.map((alert) => ({
          key: alert.alertId,
          cells: [
            { text: writeTime(toMs(alert.openedAt) ?? 0, timeZone), raw: new Date(toMs(alert.openedAt) ?? 0).toISOString() },
            { text: alert.state === AlertState.RAISED ? words.alerts.raised : words.alerts.cleared },
            { text: words.alerts.severities[SEVERITY[alert.severity].word] },
            { text: ruleOf(alert)?.name ?? alert.rule },
            { text: alert.campaignId },
            { text: nameOf(alert.metric) },
            { text: `${nameOf(alert.metric)} ${written(alert.metric, alert.value)}`, raw: alert.value },
            { text: written(alert.metric, alert.threshold), raw: alert.threshold },
            { text: said(alert) },
          ],
        })),
      })}
    >
      {(alerts, { span }) => (
        <>
          <Strip alerts={alerts} start={span.start} end={Math.max(span.end, span.start + 1)} timeZone={timeZone} />
          <ul className="alerts" style={ownHeight(height - 60)} tabIndex={0} aria-label={words.alerts.title}>
            {alerts.slice(0, MOST).map((alert) => (
              <Entry key={alert.alertId} alert={alert} timeZone={timeZone} />
            ))}
          </ul>
          {alerts.length > MOST && <p className="muted">{words.alerts.more(alerts.length - MOST)}</p>}
        </>
      )}
    </Widget>
  );
}

function Strip({ alerts, start, end, timeZone }: { alerts: Alert[]; start: number; end: number; timeZone: string }) {
  const share = (ms: number) => Math.min(100, Math.max(0, ((ms - start) / (end - start)) * 100));
  return (
    <div className="alert-strip" aria-hidden>
      <div className="alert-strip-track">
        {alerts.map((alert) => {
          const from = share(toMs(alert.openedAt) ?? 0);
          const to = alert.state === AlertState.RAISED ? 100 : share(toMs(alert.updatedAt) ?? 0);
          return <i key={alert.alertId} data-tone={SEVERITY[alert.severity].tone} data-raised={alert.state === AlertState.RAISED || undefined} style={{ left: `${from}%`, width: `max(4px, ${to - from}%)` }} />;
        })}
      </div>
      <span>{writeTime(start, timeZone)}</span>
      <span>{writeTime(end, timeZone)}</span>
    </div>
  );
}

function Entry({ alert, timeZone }: { alert: Alert; timeZone: string }) {
  const filter = useCrossFilter();
  const { word, icon: Icon, tone } = SEVERITY[alert.severity];
  const raised = alert.state === AlertState.RAISED;
  const opened = toMs(alert.openedAt) ?? 0;
  const ended = raised ? serverNow() : (toMs(alert.updatedAt) ?? opened);
  return (
    <li className="alert" data-tone={raised ? tone : undefined}>
      {raised ? <Icon size={16} aria-hidden /> : <CircleCheck size={16} aria-hidden />}
      <div>
        <p>
          <strong>{said(alert)}</strong>
        </p>
        <p className="muted">
          {raised ? words.alerts.severities[word] : words.alerts.clearedWord} · {words.alerts.against(`${nameOf(alert.metric)} ${written(alert.metric, alert.value)}`, written(alert.metric, alert.threshold))} ·{" "}
          {words.alerts.openedAt(writeTime(opened, timeZone), writeAge(ended - opened), raised)}
        </p>
      </div>
      {alert.campaignId && (
        <button type="button" className="cell-button" onClick={() => filter("campaign", alert.campaignId)} title={alert.channel && channelName(alert.channel)}>
          {alert.campaignId}
        </button>
      )}
    </li>
  );
}

const NAMED: Record<string, MetricId> = { performance_score: "score", conversion_rate: "conversion_rate", ctr: "ctr", roas: "roas" };
const SHARES = new Set(["budget_utilization", "attribution_coverage", "quarantine_rate"]);

const nameOf = (name: string): string => {
  const id = NAMED[name];
  return id ? nameInText(METRICS[id]) : name in words.server.measures ? words.server.measures[name as keyof typeof words.server.measures] : name.replaceAll("_", " ");
};

function ruleOf({ rule }: Alert) {
  return rule in words.server.rules ? words.server.rules[rule as keyof typeof words.server.rules] : undefined;
}

/** What an alert says, in the language of the page; of a rule that the page does not know, what the server wrote. */
function said(alert: Alert): string {
  const rule = ruleOf(alert);
  if (!rule) return alert.message || alert.rule.replaceAll("_", " ");
  return alert.state === AlertState.RAISED ? rule.raised(written(alert.metric, alert.threshold)) : rule.cleared(written(alert.metric, alert.value));
}

function written(name: string, value: number): string {
  const id = NAMED[name];
  return write(value, id ? METRICS[id].unit : SHARES.has(name) ? "share" : "ratio");
}
