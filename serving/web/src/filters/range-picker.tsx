/** Opens the choice of a range of time. */
import { CalendarDays, ChevronDown } from "lucide-react";
import { lazy } from "react";
import { nameOf } from "./date-range";
import { useDashboardState } from "./search-state";
import { Opener } from "../shell/opener";
import { words } from "../language/words";

const RangePanel = lazy(() => import("./range-panel"));

export function RangePicker() {
  const { range } = useDashboardState();
  return (
    <Opener opens="dialog" className="button" id="range" content={(opened) => <RangePanel {...opened} />}>
      <CalendarDays size={15} aria-hidden />
      <span className="hidden-text">{words.filters.range}</span>
      {nameOf(range)}
      <ChevronDown size={14} aria-hidden />
    </Opener>
  );
}
