/** Opens the choice of a range of time. */
import { CalendarDays, ChevronDown } from "lucide-react";
import { lazy, Suspense, useRef, useState } from "react";
import { Button } from "react-aria-components/Button";
import { nameOf } from "./date-range";
import { useDashboardState } from "./search-state";
import { words } from "../language/words";

const RangePanel = lazy(() => import("./range-panel"));

export function RangePicker() {
  const { range } = useDashboardState();
  const [open, setOpen] = useState(false);
  const [opened, setOpened] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <Button
        ref={button}
        className="button"
        id="range"
        aria-haspopup="dialog"
        aria-expanded={open}
        onPress={() => {
          setOpened(true);
          setOpen(true);
        }}
      >
        <CalendarDays size={15} aria-hidden />
        <span className="hidden-text">{words.filters.range}</span>
        {nameOf(range)}
        <ChevronDown size={14} aria-hidden />
      </Button>
      {opened && (
        <Suspense fallback={null}>
          <RangePanel open={open} onOpenChange={setOpen} button={button} />
        </Suspense>
      )}
    </>
  );
}
