/** How many journeys of the range reached each stage. */
import { stageName, useJourneyFunnel } from "../data/journey-queries";
import { write } from "../figures/format";
import { words } from "../language/words";
import { Widget, type Width } from "./widget";
import "./funnel.css";

export function JourneyFunnel({ width }: { width: Width }) {
  const query = useJourneyFunnel();
  return (
    <Widget
      title={words.funnel.journeys}
      note={words.funnel.journeysNote}
      width={width}
      query={query}
      subject="attribution"
      height={260}
      isEmpty={(stages) => !stages[0] || stages[0].reached === 0n}
      empty={words.funnel.noJourney}
      table={(stages) => ({
        columns: [{ label: words.funnel.stage }, { label: words.funnel.reached, numeric: true }, { label: words.funnel.nowIn, numeric: true }, { label: words.funnel.ofBefore, numeric: true }],
        rows: stages.map(({ stage, reached, journeys, conversionRate }) => ({
          key: String(stage),
          cells: [{ text: stageName(stage) }, { text: write(Number(reached), "count") }, { text: write(Number(journeys), "count") }, { text: write(conversionRate, "share"), raw: conversionRate }],
        })),
      })}
    >
      {(stages) => {
        const most = Number(stages[0]?.reached ?? 1n);
        return (
          <ol className="stage-funnel">
            {stages.map(({ stage, reached, journeys, conversionRate }) => (
              <li key={stage}>
                <p className="funnel-name">
                  <span>{stageName(stage)}</span>
                  <small>
                    {conversionRate !== undefined && `${write(conversionRate, "share")} ${words.funnel.wentOn} · `}
                    {words.funnel.inItNow(write(Number(journeys), "count"))}
                  </small>
                  <b className="figure" data-testid={`stage-${stage}`}>
                    {write(Number(reached), "count")}
                  </b>
                </p>
                <span className="funnel-bar" aria-hidden>
                  <i style={{ width: `${(Number(reached) / most) * 100}%` }} />
                </span>
              </li>
            ))}
          </ol>
        );
      }}
    </Widget>
  );
}
