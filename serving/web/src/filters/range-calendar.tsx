/** A calendar to choose a first and a last day from. */
import type { CalendarDate, DateValue } from "@internationalized/date";
import { toCalendarDate } from "@internationalized/date";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { Button, CalendarCell, CalendarGrid, Heading, RangeCalendar } from "react-aria-components";
import { words } from "../language/words";

interface Props {
  value: { start: DateValue; end: DateValue } | null;
  earliest: CalendarDate;
  latest: CalendarDate;
  onChoose: (first: CalendarDate, last: CalendarDate) => void;
}

export function Calendar({ value, earliest, latest, onChoose }: Props) {
  return (
    <RangeCalendar
      className="calendar"
      aria-label={words.filters.firstAndLastDay}
      value={value}
      minValue={earliest}
      maxValue={latest}
      onChange={({ start, end }) => onChoose(toCalendarDate(start), toCalendarDate(end))}
    >
      <header>
        <Button slot="previous" className="button button-quiet button-icon">
          <ChevronLeft size={16} aria-hidden />
        </Button>
        <Heading />
        <Button slot="next" className="button button-quiet button-icon">
          <ChevronRight size={16} aria-hidden />
        </Button>
      </header>
      <CalendarGrid>{(date) => <CalendarCell date={date} className="calendar-day" />}</CalendarGrid>
    </RangeCalendar>
  );
}
