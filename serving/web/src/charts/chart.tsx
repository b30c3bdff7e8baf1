/** One ECharts canvas. The library is loaded with the first chart; the canvas is for eyes only, so every chart has its words and its
 * table beside it. */
import type { ECharts, EChartsCoreOption } from "echarts/core";
import { useEffect, useMemo, useRef, useState } from "react";
import { inTurn } from "./in-turn";
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
  const [drawn, setDrawn] = useState(false);
  const latest = useRef({ option, onPick });
  latest.current = { option, onPick };
  // What is seen of an option. Answers that come again often say the same, and then nothing is drawn; the label has what functions write.
  const seen = useMemo(() => `${label}\n${JSON.stringify(option)}`, [option, label]);
  useEffect(() => {
    let gone = false;
    let watching: ResizeObserver | undefined;
    void import("./echarts").then(({ init }) =>
      inTurn(() => {
        const element = place.current;
        if (gone || !element) return;
        const made = init(element);
        chart.current = made;
        made.setOption(latest.current.option);
        made.on("click", (event) => latest.current.onPick?.(event.seriesName || String(event.name), event.dataIndex));
        watching = new ResizeObserver(() => {
          // The first call tells the size that it was drawn in.
          if (element.clientWidth !== made.getWidth() || element.clientHeight !== made.getHeight()) made.resize();
        });
        watching.observe(element);
        setDrawn(true);
      }),
    );
    return () => {
      gone = true;
      watching?.disconnect();
      chart.current?.dispose();
      chart.current = undefined;
    };
  }, []);
  useEffect(() => {
    let gone = false;
    inTurn(() => {
      // Drawn just now, with what is the newest option.
      if (!gone) chart.current?.setOption(latest.current.option, { notMerge: true });
    });
    return () => {
      gone = true;
    };
  }, [seen]);
  return (
    <div className="chart" role="img" aria-label={label} aria-busy={!drawn || undefined} style={ownHeight(height)}>
      <div ref={place} aria-hidden className="chart-canvas" />
    </div>
  );
}
