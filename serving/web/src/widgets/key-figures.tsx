/** Every metric of a span against the one before, as the server keeps them. */
import { ArrowDownRight, ArrowRight, ArrowUpRight } from "lucide-react";
import { useState } from "react";
import { CADENCES, METRIC_OF, useKeyFigures, type CadenceId } from "../data/key-figure-queries";
import { toMs } from "../data/protobuf-time";
import { Trend, type KeyFigure } from "../gen/tributary/v1/campaign_metrics_pb";
import { Picker } from "../filters/picker";
import { useDashboardState } from "../filters/search-state";
import { change, write, writeChange, writeClock } from "../figures/format";
import { METRICS } from "../figures/metrics";
import { words } from "../language/words";
import { Widget, type Width } from "./widget";
import "./figures.css";
import "./kpi-card.css";

const ARROWS: Record<Trend, { icon: typeof ArrowRight; word: keyof typeof words.keyFigures.trends }> = {
  [Trend.UP]: { icon: ArrowUpRight, word: "up" },
  [Trend.DOWN]: { icon: ArrowDownRight, word: "down" },
  [Trend.FLAT]: { icon: ArrowRight, word: "flat" },
  [Trend.UNSPECIFIED]: { icon: ArrowRight, word: "unknown" },
};

export function KeyFigures({ width }: { width: Width }) {
  const state = useDashboardState();
  const [cadence, setCadence] = useState<CadenceId>("daily");
  const query = useKeyFigures(cadence);
  const all = query.data?.value ?? [];
  const currency = state.currency ?? [...new Set(all.map((figure) => figure.currency))].map((code) => [code, weight(all, code)] as const).sort((a, b) => b[1] - a[1])[0]?.[0];
  const figures = all.filter((figure) => figure.currency === currency);
  const written = (figure: KeyFigure, value: number | undefined) => {
    const id = METRIC_OF[figure.metric];
    return id ? write(value, METRICS[id].unit, { currency }) : "";
  };
  const expires = figures.length ? Math.min(...figures.map(({ expiresAt }) => toMs(expiresAt) ?? 0)) : undefined;
  return (
    <Widget
      title={words.keyFigures.title}
      note={words.keyFigures.note}
      width={width}
      query={query}
      height={140}
      isEmpty={() => figures.length === 0}
      empty={words.keyFigures.empty}
      tools={<Picker label={words.keyFigures.cadence} summary={words.keyFigures.cadences[cadence]} choices={CADENCES.map((id) => ({ id, label: words.keyFigures.cadences[id] }))} chosen={[cadence]} onChoose={([id]) => setCadence(id as CadenceId)} />}
      table={() => ({
        columns: [{ label: words.keyFigures.metric }, { label: words.keyFigures.now, numeric: true }, { label: words.keyFigures.before, numeric: true }, { label: words.keyFigures.change, numeric: true }],
        rows: figures.map((figure) => ({
          key: figure.key,
          cells: [
            { text: METRICS[METRIC_OF[figure.metric] ?? "revenue"].label },
            { text: written(figure, figure.current), raw: figure.current },
            { text: written(figure, figure.previous), raw: figure.previous },
            { text: figure.changePercent === undefined ? "" : writeChange(figure.changePercent / 100) },
          ],
        })),
      })}
    >
      {() => (
        <>
          <dl className="key-figures">
            {figures.map((figure) => {
              const id = METRIC_OF[figure.metric];
              if (!id) return null;
              const { icon: Arrow, word } = ARROWS[figure.trend];
              const { verdict } = change(METRICS[id], figure.current, figure.previous);
              return (
                <div key={figure.key}>
                  <dt>{METRICS[id].label}</dt>
                  <dd>
                    <b className="figure" data-testid={`key-${id}`} data-raw={figure.current}>
                      {write(figure.current, METRICS[id].unit, { currency, short: true })}
                    </b>
                    <span className="pill" data-verdict={verdict}>
                      <Arrow size={12} aria-hidden />
                      {figure.changePercent === undefined ? "–" : writeChange(figure.changePercent / 100)}
                      <span className="hidden-text"> {words.keyFigures.trends[word]}</span>
                    </span>
                  </dd>
                </div>
              );
            })}
          </dl>
          {expires !== undefined && <p className="widget-remark">{words.keyFigures.kept(writeClock(expires, state.timeZone))}</p>}
        </>
      )}
    </Widget>
  );
}

/** How much happened in a currency: its impressions. */
function weight(figures: KeyFigure[], currency: string): number {
  return figures.find((figure) => figure.currency === currency && METRIC_OF[figure.metric] === "impressions")?.current ?? 0;
}
