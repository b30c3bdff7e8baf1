/** One metric: its value, how it changed against the period before, and its course. */
import { ArrowDownRight, ArrowRight, ArrowUpRight } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { mainCurrency, useSeries, useTotals, type Group } from "../data/campaign-queries";
import { useGivenTitle } from "../dashboards/given-title";
import { nameOfBefore } from "../filters/date-range";
import { useDashboardState } from "../filters/search-state";
import { change, write, writeChange } from "../figures/format";
import { METRICS, valueOf, type MetricId } from "../figures/metrics";
import { stepsOf } from "../charts/time-axis";
import { describe } from "../data/errors";
import { GoalButton, GoalProgress } from "./kpi-goal";
import { Sparkline } from "./sparkline";
import { Provenance, type Width } from "./widget";
import "./kpi-card.css";
import { words } from "../language/words";

/** The group of a currency. */
export function ofCurrency<T extends Group>(groups: T[], currency: string | undefined): T[] {
  return groups.filter((group) => group.currency === currency);
}

export function KpiCard({ id, width = 3 }: { id: MetricId; width?: Width }) {
  const state = useDashboardState();
  const metric = METRICS[id];
  const title = useGivenTitle(metric.label);
  const totals = useTotals();
  const before = useTotals([], "before", state.compare);
  const currency = mainCurrency(totals.data?.value ?? [], state.currency);
  const [group] = ofCurrency(totals.data?.value ?? [], currency);
  const [groupBefore] = ofCurrency(before.data?.value ?? [], currency);
  const value = group && valueOf(id, group.sums, group.kpis);
  const valueBefore = groupBefore && valueOf(id, groupBefore.sums, groupBefore.kpis);
  const { share, verdict } = change(metric, value, valueBefore);
  const changed = useChanged(value);
  const spark = useSparkline(id, currency);
  const Arrow = share === undefined || Math.abs(share) < 0.0005 ? ArrowRight : share > 0 ? ArrowUpRight : ArrowDownRight;
  return (
    <article className="widget kpi" data-width={width} aria-label={title} title={metric.definition}>
      <header className="kpi-head">
        <h2>{title}</h2>
        <GoalButton id={id} currency={currency} />
      </header>
      <div className="kpi-row">
        <p className="kpi-value figure" data-testid={`kpi-${id}`} data-raw={value} data-stale={totals.isPlaceholderData || undefined} key={changed}>
          {totals.data ? (
            <span className={changed > 0 ? "changed" : undefined} title={write(value, metric.unit, { currency })}>
              {write(value, metric.unit, { currency, short: true })}
              {value === undefined && <span className="hidden-text">{words.common.noValue}</span>}
            </span>
          ) : totals.isError ? (
            <span className="kpi-failed">{describe(totals.error).title}</span>
          ) : (
            <span className="skeleton kpi-skeleton">
              <span className="hidden-text">{words.common.loading}</span>
            </span>
          )}
        </p>
        <Sparkline values={spark} label={words.kpi.course(metric.label)} />
      </div>
      <p className="kpi-change">
        {state.compare && totals.data ? (
          share === undefined ? (
            <span className="muted">{words.kpi.nothingToCompare}</span>
          ) : (
            <>
              <span className="pill" data-verdict={verdict}>
                <Arrow size={13} aria-hidden />
                {writeChange(share)}
              </span>
              <span className="muted" title={words.kpi.in(write(valueBefore, metric.unit, { currency }), nameOfBefore(state.range))}>
                {words.kpi.fromBefore(write(valueBefore, metric.unit, { currency, short: true }))}
                <span className="kpi-period">, {nameOfBefore(state.range)}</span>
              </span>
            </>
          )
        ) : (
          <span className="muted">{metric.definition}</span>
        )}
      </p>
      <GoalProgress id={id} value={value} currency={currency} />
      <footer className="widget-foot">
        <Provenance query={totals} />
      </footer>
    </article>
  );
}

/** Counts the changes of a value after the first, so that a change can be shown. */
function useChanged(value: number | undefined): number {
  const before = useRef<number>(undefined);
  const [count, setCount] = useState(0);
  useEffect(() => {
    if (before.current !== undefined && value !== undefined && before.current !== value) setCount((n) => n + 1);
    before.current = value;
  }, [value]);
  return count;
}

function useSparkline(id: MetricId, currency: string | undefined): (number | undefined)[] {
  const { timeZone } = useDashboardState();
  const series = useSeries();
  return useMemo(() => {
    if (!series.data) return [];
    const { value, span } = series.data;
    const at = new Map(ofCurrency(value.points, currency).map((point) => [point.start, point]));
    return stepsOf(span, value, timeZone).map((start) => {
      const point = at.get(start);
      if (point) return valueOf(id, point.sums, point.kpis);
      return METRICS[id].additive ? 0 : undefined;
    });
  }, [series.data, currency, id, timeZone]);
}
