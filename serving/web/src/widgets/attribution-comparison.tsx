/** The same conversions credited in several ways: model against model, look-back window against window. */
import { CREDIT_DIMENSIONS, useComparison, type CreditBy } from "../data/conversion-queries";
import { modelName } from "../data/attribution-queries";
import { toMs } from "../data/protobuf-time";
import type { AttributionTotals, ComparedCredit } from "../gen/tributary/v1/attribution_pb";
import { Picker } from "../filters/picker";
import { MODELS, useChangeSearch, useDashboardState, writeView, type Model, type View } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { exactMoney, write, writeChange, writeTime } from "../figures/format";
import { words } from "../language/words";
import { useState } from "react";
import { Widget, type Width } from "./widget";
import "./attribution.css";

const HEIGHT = 320;
// Look-back windows that are offered, in days; the server cuts whole paths down to them.
const WINDOWS = [1, 7, 14, 30];
// A position is one of the whole path: the server does not cut it (AttributionView).
const CUT: ReadonlySet<Model> = new Set(["first_touch", "last_touch", "last_non_direct", "linear", "time_decay"]);
const OFFERED: View[] = MODELS.flatMap((model) => [{ model, days: undefined }, ...(CUT.has(model) ? WINDOWS.map((days) => ({ model, days })) : [])]);
const LEAST = 2;
const MOST = 6;

const viewName = ({ model, days }: View) => words.comparison.view(modelName(model), days === undefined ? words.comparison.wholePath : words.comparison.days(days));

export function AttributionComparison({ width }: { width: Width }) {
  const state = useDashboardState();
  const change = useChangeSearch();
  const [by, setBy] = useState<CreditBy>("channel");
  const { views } = state;
  const query = useComparison(views, by);
  const totals = query.data?.value.totals ?? [];
  const currency = state.currency ?? main(totals);
  const total = totals.find((each) => each.currency === currency);
  const rows = (query.data?.value.credits ?? []).filter((credit) => credit.currency === currency).sort((a, b) => Number(first(b) - first(a)));
  const most = rows.reduce((high, { views: credits }) => credits.reduce((top, { creditedMicros }) => (creditedMicros > top ? creditedMicros : top), high), 1n);
  const name = (row: ComparedCredit) => nameOf(row, by);
  return (
    <Widget
      title={words.comparison.title}
      note={total ? words.comparison.note(write(Number(total.conversions), "count"), write(Number(total.valueMicros), "money", { currency })) : words.comparison.noteEmpty}
      width={width}
      query={query}
      subject="attribution"
      height={HEIGHT}
      isEmpty={() => rows.length === 0}
      empty={words.comparison.empty}
      tools={
        <>
          <Picker label={words.comparison.by} summary={words.comparison.dimensions[by]} choices={CREDIT_DIMENSIONS.map((id) => ({ id, label: words.comparison.dimensions[id] }))} chosen={[by]} onChoose={([id]) => setBy(id as CreditBy)} />
          <Picker
            label={words.comparison.views}
            summary={String(views.length)}
            choices={OFFERED.map((view) => ({ id: writeView(view), label: viewName(view) }))}
            chosen={views.map(writeView)}
            several
            onChoose={(ids) => {
              // In the order in which they were chosen: the first is what the others are held against.
              const kept = views.map(writeView).filter((id) => ids.includes(id));
              const next = [...kept, ...ids.filter((id) => !kept.includes(id))];
              if (next.length >= LEAST && next.length <= MOST) change({ views: next.join() });
            }}
          />
        </>
      }
      table={() => ({
        columns: [{ label: words.comparison.dimensions[by] }, ...views.map((view) => ({ label: viewName(view), numeric: true, unit: currency }))],
        rows: rows.map((row) => ({
          key: name(row),
          cells: [{ text: name(row) }, ...row.views.map(({ creditedMicros }) => ({ text: write(Number(creditedMicros), "money", { currency }), raw: exactMoney(creditedMicros) }))],
        })),
      })}
    >
      {() => (
        <div className="models-scroll" tabIndex={0} role="region" aria-label={words.comparison.title}>
          <table className="models" data-testid="comparison">
            <caption className="hidden-text">{words.comparison.title}</caption>
            <thead>
              <tr>
                <th scope="col">{words.comparison.dimensions[by]}</th>
                {views.map((view, at) => (
                  <th key={writeView(view)} scope="col" data-chosen={at === 0 || undefined}>
                    {modelName(view.model)} <small>{view.days === undefined ? words.comparison.wholePath : words.comparison.days(view.days)}</small>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={name(row)}>
                  <th scope="row">
                    {by === "channel" && <i className="swatch" style={{ background: `var(${channelColour(row.channel)})` }} />} {name(row)}
                  </th>
                  {row.views.map(({ creditedMicros }, at) => (
                    <td key={at} data-chosen={at === 0 || undefined} data-raw={String(creditedMicros)}>
                      <span className="models-figure">
                        {write(Number(creditedMicros), "money", { currency, short: true })}
                        {at > 0 && first(row) > 0n && <small>{writeChange(Number(creditedMicros - first(row)) / Number(first(row)))}</small>}
                      </span>
                      <span className="models-bar" aria-hidden>
                        <i style={{ width: `${Math.max(0, Number(creditedMicros) / Number(most)) * 100}%`, background: `var(${by === "channel" ? channelColour(row.channel) : "--series-1"})` }} />
                      </span>
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          <p className="widget-remark">{views[0] && words.comparison.foot(viewName(views[0]))}</p>
        </div>
      )}
    </Widget>
  );
}

const first = (row: ComparedCredit): bigint => row.views[0]?.creditedMicros ?? 0n;

function main(totals: AttributionTotals[]): string | undefined {
  return [...totals].sort((a, b) => Number(b.conversions - a.conversions))[0]?.currency;
}

function nameOf(row: ComparedCredit, by: CreditBy): string {
  switch (by) {
    case "channel":
      return channelName(row.channel);
    case "campaign":
      return row.campaignId || words.comparison.unnamed;
    case "source":
      return row.source || words.comparison.unnamed;
    case "creative":
      return row.creativeId || words.comparison.unnamed;
    case "day":
      // Days of credit are those of UTC.
      return writeTime(toMs(row.day) ?? 0, "UTC", "day");
  }
}
