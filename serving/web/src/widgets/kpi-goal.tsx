/** The goal of a card: how much of it is reached, and the button that opens the form to set it, which is loaded then. A goal is part of the
 * address, as every choice is. */
import { Target } from "lucide-react";
import { lazy } from "react";
import { useDashboardState } from "../filters/search-state";
import { write } from "../figures/format";
import { METRICS, type MetricId, type Unit } from "../figures/metrics";
import { Opener } from "../shell/opener";
import { words } from "../language/words";

const GoalForm = lazy(() => import("./goal-form"));

// What a person writes for a unit: whole units of money, per cent of a share.
const SCALE: Record<Unit, number> = { money: 1e6, count: 1, share: 0.01, ratio: 1, score: 1 };

/** The goal in the unit of the figures: micros, fractions. */
export function goalOf(id: MetricId, goals: Partial<Record<MetricId, number>>): number | undefined {
  const goal = goals[id];
  return goal === undefined ? undefined : goal * SCALE[METRICS[id].unit];
}

export function GoalProgress({ id, value, currency }: { id: MetricId; value: number | undefined; currency: string | undefined }) {
  const goal = goalOf(id, useDashboardState().goals);
  if (goal === undefined || value === undefined) return null;
  const { unit, better } = METRICS[id];
  const share = value / goal;
  const good = better === "lower" ? share <= 1 : share >= 1;
  const said = words.kpi.reached(write(share, "share"), write(goal, unit, { currency, short: true }));
  return (
    <p className="kpi-goal" data-good={good || undefined} data-testid={`goal-${id}`}>
      <span className="kpi-goal-bar" role="meter" aria-label={`${words.kpi.goal}: ${METRICS[id].label}`} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(Math.min(1, share) * 100)} aria-valuetext={said}>
        <i style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }} />
      </span>
      <small>{said}</small>
    </p>
  );
}

export function GoalButton({ id, currency }: { id: MetricId; currency: string | undefined }) {
  return (
    <Opener
      opens="dialog"
      className="button button-quiet button-icon button-small kpi-goal-button"
      aria-label={words.kpi.setGoal(METRICS[id].label)}
      content={(opened) => <GoalForm id={id} currency={currency} {...opened} />}
    >
      <Target size={14} aria-hidden />
    </Opener>
  );
}
