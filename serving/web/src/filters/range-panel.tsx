/** Chooses the range of time: a preset, or free days of the chosen time zone. */
import { fromAbsolute, toCalendarDate, today } from "@internationalized/date";
import { Dialog, ListBox, ListBoxItem, Popover } from "react-aria-components";
import { serverNow } from "../data/server-clock";
import { LONGEST_DAYS, PRESETS, presetName, readRange, spanOf, writeRange } from "./date-range";
import { Calendar } from "./range-calendar";
import { useChangeSearch, useDashboardState } from "./search-state";
import { words } from "../language/words";
import type { Opened } from "../shell/opener";

export default function RangePanel({ open, onOpenChange, button }: Opened) {
  const { range, timeZone } = useDashboardState();
  const change = useChangeSearch();
  const choose = (text: string) => {
    if (readRange(text)) change({ range: text });
    onOpenChange(false);
  };
  const last = today(timeZone);
  const shown = spanOf(range, timeZone, serverNow());
  const value = {
    start: toCalendarDate(fromAbsolute(shown.start, timeZone)),
    end: toCalendarDate(fromAbsolute(shown.end - 1, timeZone)),
  };
  return (
    <Popover className="popover" placement="bottom start" triggerRef={button} isOpen={open} onOpenChange={onOpenChange}>
      <Dialog className="range-panel" aria-label={words.filters.rangeOfTime}>
        <ListBox
          className="listbox range-presets"
          aria-label={words.filters.presets}
          selectionMode="single"
          selectedKeys={"preset" in range ? [range.preset] : []}
          onSelectionChange={(keys) => {
            const [key] = keys === "all" ? [] : [...keys];
            // A preset that is chosen again stays chosen.
            if (key === undefined) onOpenChange(false);
            else choose(String(key));
          }}
          autoFocus
        >
          {PRESETS.map(({ id }) => (
            <ListBoxItem key={id} id={id} className="menu-item" textValue={presetName(id)}>
              {presetName(id)}
            </ListBoxItem>
          ))}
        </ListBox>
        <div className="range-free">
          <Calendar
            value={value}
            earliest={last.subtract({ days: LONGEST_DAYS - 1 })}
            latest={last}
            onChoose={(first, until) => choose(writeRange({ first, last: until }))}
          />
          <p className="muted">{words.filters.daysOf(timeZone)}</p>
        </div>
      </Dialog>
    </Popover>
  );
}
