/** One ECharts canvas. The library is loaded with the first chart; the canvas is for eyes only, so every chart has its words and its
 * table beside it. */
import type { ECharts, EChartsCoreOption } from "echarts/core";
import { useEffect, useRef } from "react";
import { ownHeight } from "./own-height";
import "./chart.css";

interface Props {
  option: EChartsCoreOption;
  /** Its least height; it grows with its widget. */
  height: number;
  /** What the chart shows, for those who do not see it. */
  label: string;
  /** Called with the name of the series and the index of the step that was clicked. */
  onPick?: ((series: string, index: number) => void) | undefined;
}

export function Chart({ option, height, label, onPick }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts>(undefined);
  const latest = useRef({ option, onPick });
  latest.current = { option, onPick };
  useEffect(() => {
    let gone = false;
    let watching: ResizeObserver | undefined;
    void import("./echarts").then(({ init }) => {
      const element = place.current;
      if (gone || !element) return;
      const made = init(element);
      chart.current = made;
      made.setOption(latest.current.option);
      made.on("click", (event) => latest.current.onPick?.(event.seriesName || String(event.name), event.dataIndex));
      watching = new ResizeObserver(() => made.resize());
      watching.observe(element);
    });
    return () => {
      gone = true;
      watching?.disconnect();
      chart.current?.dispose();
      chart.current = undefined;
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption(option, { notMerge: true });
  }, [option]);
  return (
    <div className="chart" role="img" aria-label={label} style={ownHeight(height)}>
      <div ref={place} aria-hidden className="chart-canvas" />
    </div>
  );
}
