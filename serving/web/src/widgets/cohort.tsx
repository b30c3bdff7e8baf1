/** Journeys by the week in which they began, and how far they came. */
import { stageName, useCohorts } from "../data/journey-queries";
import { useDashboardState } from "../filters/search-state";
import { dateFormatter, write } from "../figures/format";
import { words } from "../language/words";
import { ShadedTable } from "./shaded-table";
import { Widget, type Width } from "./widget";

export function Cohort({ width }: { width: Width }) {
  const { timeZone } = useDashboardState();
  const query = useCohorts();
  const week = (start: number) => dateFormatter({ day: "numeric", month: "short", timeZone }).format(start);
  const names = query.data?.value[0]?.stages.slice(1).map(({ stage }) => stageName(stage)) ?? [];
  return (
    <Widget
      title={words.cohort.title}
      note={words.cohort.note}
      width={width}
      query={query}
      subject="attribution"
      height={320}
      isEmpty={(cohorts) => cohorts.every(({ stages }) => !stages[0]?.reached)}
      empty={words.cohort.empty}
      table={(cohorts) => ({
        columns: [{ label: words.cohort.week }, { label: words.cohort.began, numeric: true }, ...names.map((label) => ({ label, numeric: true }))],
        rows: cohorts.map(({ week: start, stages }) => ({
          key: String(start),
          cells: [{ text: week(start) }, ...stages.map(({ reached }) => ({ text: write(Number(reached), "count") }))],
        })),
      })}
    >
      {(cohorts) => (
        <ShadedTable
          caption={words.cohort.title}
          corner={words.cohort.week}
          columns={[words.cohort.began, ...names]}
          hint={words.cohort.point}
          rows={cohorts.map(({ week: start, stages }) => {
            const [began, ...later] = stages;
            const size = write(Number(began?.reached ?? 0n), "count");
            return {
              key: String(start),
              name: week(start),
              cells: [
                { key: "began", figure: size, said: `${week(start)}: ${size}`, strength: undefined },
                ...later.map(({ stage, reached, overallRate }) => ({
                  key: String(stage),
                  figure: write(overallRate, "share"),
                  said: words.cohort.cell(week(start), stageName(stage), write(overallRate, "share"), write(Number(reached), "count")),
                  strength: overallRate,
                })),
              ],
            };
          })}
        />
      )}
    </Widget>
  );
}
