/** How good the figures of the range are, as shares with the mark that each is held against. */
import { useQuality } from "../data/platform-queries";
import type { GetQualityResponse } from "../gen/tributary/v1/quality_pb";
import { write, writeMark } from "../figures/format";
import { words } from "../language/words";
import { Widget, type Width } from "./widget";
import "./figures.css";

interface Measure {
  id: string;
  name: string;
  share: number | undefined;
  /** The promised mark, where there is one (SPEC C7: 95 % attributed; udfs/alerting/rules.py: 2 % quarantined at rest). */
  mark?: { at: number; atLeast: boolean };
}

function measures(value: GetQualityResponse): Measure[] {
  return [
    { id: "valid", name: words.quality.valid, share: value.validShare },
    { id: "quarantined", name: words.quality.quarantined, share: value.quarantinedShare, mark: { at: 0.02, atLeast: false } },
    { id: "duplicates", name: words.quality.duplicates, share: value.duplicateShare },
    { id: "late", name: words.quality.late, share: value.lateShare },
    { id: "coverage", name: words.quality.coverage, share: value.attributionCoverage, mark: { at: 0.95, atLeast: true } },
    ...value.unattributedValues.map(({ currency, unattributedShare }) => ({ id: `unattributed-${currency}`, name: words.quality.unattributed(currency), share: unattributedShare })),
  ];
}

function tone({ share, mark }: Measure): "good" | "warn" | undefined {
  if (share === undefined || !mark) return undefined;
  return share >= mark.at === mark.atLeast || share === mark.at ? "good" : "warn";
}

export function DataQuality({ width }: { width: Width }) {
  const query = useQuality();
  return (
    <Widget
      title={words.quality.title}
      note={words.quality.note}
      width={width}
      query={query}
      subject="operations"
      height={240}
      isEmpty={({ received, conversions }) => received === 0n && conversions === 0n}
      empty={words.quality.empty}
      table={(value) => ({
        columns: [{ label: words.quality.measure }, { label: words.common.share, numeric: true }],
        rows: measures(value).map(({ id, name, share }) => ({ key: id, cells: [{ text: name }, { text: write(share, "share"), raw: share }] })),
      })}
    >
      {(value) => (
        <dl className="measures">
          {measures(value).map((measure) => (
            <div key={measure.id} data-tone={tone(measure)}>
              <dt>
                {measure.name}
                {measure.mark && <small>{words.quality.target(`${measure.mark.atLeast ? "≥" : "≤"} ${writeMark(measure.mark.at)}`)}</small>}
              </dt>
              <dd className="figure" data-testid={`quality-${measure.id}`} data-raw={measure.share}>
                {write(measure.share, "share")}
              </dd>
              <span className="measure-bar" aria-hidden>
                <i style={{ width: `${(measure.share ?? 0) * 100}%` }} />
                {measure.mark && <b style={{ left: `${measure.mark.at * 100}%` }} />}
              </span>
            </div>
          ))}
        </dl>
      )}
    </Widget>
  );
}
