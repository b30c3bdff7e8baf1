/** Chooses the range of time: a preset or free days, and the time zone that days are meant in. */
import { today } from "@internationalized/date";
import { CalendarDays, ChevronDown } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { Button, Dialog, DialogTrigger, ListBox, ListBoxItem, Popover } from "react-aria-components";
import { LONGEST_DAYS, nameOf, PRESETS, readRange, spanOf, writeRange } from "./date-range";
import { useChangeSearch, useDashboardState } from "./search-state";
import { serverNow } from "../data/server-clock";
import { toCalendarDate, fromAbsolute } from "@internationalized/date";

const Calendar = lazy(() => import("./range-calendar"));

export function RangePicker() {
  const { range, timeZone } = useDashboardState();
  const change = useChangeSearch();
  const [open, setOpen] = useState(false);
  const choose = (text: string) => {
    if (readRange(text)) change({ range: text });
    setOpen(false);
  };
  const last = today(timeZone);
  const shown = spanOf(range, timeZone, serverNow());
  const value = {
    start: toCalendarDate(fromAbsolute(shown.start, timeZone)),
    end: toCalendarDate(fromAbsolute(shown.end - 1, timeZone)),
  };
  return (
    <DialogTrigger isOpen={open} onOpenChange={setOpen}>
      <Button className="button" id="range">
        <CalendarDays size={15} aria-hidden />
        <span className="hidden-text">Range: </span>
        {nameOf(range)}
        <ChevronDown size={14} aria-hidden />
      </Button>
      <Popover className="popover" placement="bottom start">
        <Dialog className="range-panel" aria-label="Range of time">
          <ListBox
            className="listbox range-presets"
            aria-label="Presets"
            selectionMode="single"
            selectedKeys={"preset" in range ? [range.preset] : []}
            onAction={(key) => choose(String(key))}
            onSelectionChange={(keys) => {
              const [key] = keys === "all" ? [] : [...keys];
              if (key !== undefined) choose(String(key));
            }}
            autoFocus
          >
            {PRESETS.map(({ id, label }) => (
              <ListBoxItem key={id} id={id} className="menu-item" textValue={label}>
                {label}
              </ListBoxItem>
            ))}
          </ListBox>
          <div className="range-free">
            <Suspense fallback={<p className="muted">Opening the calendar…</p>}>
              <Calendar
                value={value}
                earliest={last.subtract({ days: LONGEST_DAYS - 1 })}
                latest={last}
                onChoose={(first, until) => choose(writeRange({ first, last: until }))}
              />
            </Suspense>
            <p className="muted">Days are those of {timeZone}.</p>
          </div>
        </Dialog>
      </Popover>
    </DialogTrigger>
  );
}
