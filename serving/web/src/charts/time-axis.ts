/** The steps of a range and the parts that all charts over time share. */
import { fromAbsolute, toCalendarDate } from "@internationalized/date";
import type { Series } from "../data/campaign-queries";
import type { Grain, Span } from "../filters/date-range";
import { dateFormatter } from "../figures/format";
import type { Colours } from "./colours";

const WIDTH: Record<"minute" | "hour" | "day" | "week", number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 604_800_000 };
// The epoch was a Thursday; weeks begin on Monday.
const FIRST_MONDAY = 4 * WIDTH.day;

/** Starts of all steps that the range touches, also of those in which nothing happened. */
export function stepsOf({ start, end }: Span, series: Pick<Series, "grain" | "localDays">, timeZone: string): number[] {
  const { grain, localDays } = series;
  const steps: number[] = [];
  if (grain === "day" && localDays) {
    for (let day = toCalendarDate(fromAbsolute(start, timeZone)); ; day = day.add({ days: 1 })) {
      const at = day.toDate(timeZone).getTime();
      if (at >= end) return steps;
      steps.push(at);
    }
  }
  const width = WIDTH[grain];
  const shift = grain === "week" ? FIRST_MONDAY : 0;
  for (let at = Math.floor((start - shift) / width) * width + shift; at < end; at += width) steps.push(at);
  return steps;
}

export function writeStep(ms: number, grain: Grain, timeZone: string, long = false): string {
  const zone = grain === "week" ? "UTC" : timeZone;
  switch (grain) {
    case "minute":
      return dateFormatter({ hour: "2-digit", minute: "2-digit", timeZone: zone }).format(ms);
    case "hour":
      return long
        ? dateFormatter({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: zone }).format(ms)
        : dateFormatter({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: zone }).format(ms);
    default:
      return dateFormatter({ ...(long && { weekday: "short" }), day: "numeric", month: "short", timeZone: zone }).format(ms);
  }
}

/** Axes and grid of a chart over steps. */
export function frame(steps: string[], colours: Colours, writeValue: (value: number) => string) {
  const label = { color: colours.of("--text-faint"), fontFamily: "Inter Variable, sans-serif", fontSize: 11 };
  return {
    // A line that grows into place says nothing, and is drawn twenty times.
    animation: false,
    grid: { left: 4, right: 12, top: 10, bottom: 4, containLabel: true },
    xAxis: {
      type: "category",
      data: steps,
      boundaryGap: false,
      axisLine: { lineStyle: { color: colours.of("--line") } },
      axisTick: { show: false },
      axisLabel: { ...label, hideOverlap: true, margin: 12 },
    },
    yAxis: {
      type: "value",
      splitNumber: 4,
      axisLabel: { ...label, formatter: writeValue },
      splitLine: { lineStyle: { color: colours.of("--chart-grid") } },
    },
    tooltip: {
      trigger: "axis",
      confine: true,
      transitionDuration: 0,
      backgroundColor: colours.of("--surface-raised"),
      borderColor: colours.of("--line"),
      padding: 10,
      axisPointer: { lineStyle: { color: colours.of("--line-strong"), type: "solid", width: 1 } },
    },
  };
}
