/** Sets the goal of a card. */
import { useState } from "react";
import { Dialog } from "react-aria-components/Dialog";
import { Popover } from "react-aria-components/Popover";
import { useChangeSearch, useDashboardState, writeGoals } from "../filters/search-state";
import { METRICS, type MetricId } from "../figures/metrics";
import { words } from "../language/words";
import type { Opened } from "../shell/opener";

interface Props extends Opened {
  id: MetricId;
  currency: string | undefined;
}

// As many digits as the address holds of a goal.
const LARGEST = 1e15;

export default function GoalForm({ id, currency, open, onOpenChange, button }: Props) {
  const label = words.kpi.setGoal(METRICS[id].label);
  return (
    <Popover className="popover" placement="bottom end" triggerRef={button} isOpen={open} onOpenChange={onOpenChange}>
      <Dialog className="goal-form" aria-label={label}>
        <Form id={id} currency={currency} close={() => onOpenChange(false)} />
      </Dialog>
    </Popover>
  );
}

function Form({ id, currency, close }: { id: MetricId; currency: string | undefined; close: () => void }) {
  const { goals } = useDashboardState();
  const change = useChangeSearch();
  const { unit } = METRICS[id];
  const [text, setText] = useState(goals[id] === undefined ? "" : String(goals[id]));
  const [wrong, setWrong] = useState(false);
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        const goal = Number(text.trim().replace(",", "."));
        const right = goal > 0 && goal < LARGEST;
        setWrong(!right);
        if (!right) return;
        change({ goals: writeGoals({ ...goals, [id]: Math.round(goal * 1e6) / 1e6 }) });
        close();
      }}
    >
      <label>
        {words.kpi.goalField(unit === "money" ? ` (${currency ?? ""})` : unit === "share" ? " (%)" : "")}
        <input className="field" inputMode="decimal" value={text} onChange={(event) => setText(event.target.value)} aria-invalid={wrong} autoFocus />
      </label>
      {wrong && (
        <p role="alert" className="field-error">
          {words.kpi.wrongGoal}
        </p>
      )}
      <p className="muted">{words.kpi.goalNote}</p>
      <div className="welcome-actions">
        <button type="submit" className="button button-primary">
          {words.kpi.keepGoal}
        </button>
        {goals[id] !== undefined && (
          <button
            type="button"
            className="button"
            onClick={() => {
              change({ goals: writeGoals(Object.fromEntries(Object.entries(goals).filter(([each]) => each !== id))) });
              close();
            }}
          >
            {words.kpi.noGoal}
          </button>
        )}
      </div>
    </form>
  );
}
