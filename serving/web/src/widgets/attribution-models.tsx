/** Credit by channel, all models side by side over the same conversions. */
import { useMemo } from "react";
import type { UseQueryResult } from "@tanstack/react-query";
import { modelName, modelRule, useCredit, type Summary } from "../data/attribution-queries";
import type { Answer } from "../data/campaign-queries";
import { MODELS, useChangeSearch, useDashboardState, type Model } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { exactMoney, write, writeChange } from "../figures/format";
import { Widget, type Width } from "./widget";
import "./attribution.css";
import { words } from "../language/words";

const HEIGHT = 340;

interface Row {
  channel: string;
  micros: Partial<Record<Model, bigint>>;
}

export function AttributionModels({ width }: { width: Width }) {
  const state = useDashboardState();
  const change = useChangeSearch();
  const queries: Record<Model, UseQueryResult<Answer<Summary>>> = {
    first_touch: useCredit("first_touch", "channel"),
    last_touch: useCredit("last_touch", "channel"),
    last_non_direct: useCredit("last_non_direct", "channel"),
    linear: useCredit("linear", "channel"),
    time_decay: useCredit("time_decay", "channel"),
    position_based: useCredit("position_based", "channel"),
  };
  const query = queries[state.model];
  const totals = query.data?.value.totals ?? [];
  const currency = state.currency ?? [...totals].sort((a, b) => Number(b.conversions - a.conversions))[0]?.currency;
  const total = totals.find((each) => each.currency === currency);
  const answers = MODELS.map((model) => queries[model].data);
  const rows = useMemo(() => byChannel(answers, currency, state.model), [...answers, currency, state.model]);
  const most = rows.reduce((high, { micros }) => Object.values(micros).reduce((a, b) => (b > a ? b : a), high), 1n);
  return (
    <Widget
      title={words.attribution.title}
      note={
        total
          ? words.attribution.about(write(Number(total.conversions), "count"), write(Number(total.valueMicros), "money", { currency }), total.unattributedConversions > 0n ? words.attribution.without(String(total.unattributedConversions)) : "")
          : words.attribution.who
      }
      width={width}
      query={query}
      subject="attribution"
      height={HEIGHT}
      isEmpty={() => rows.length === 0}
      empty={words.attribution.empty}
      table={() => ({
        columns: [{ label: words.attribution.channel }, ...MODELS.map((model) => ({ label: modelName(model), numeric: true, unit: currency }))],
        rows: rows.map(({ channel, micros }) => ({
          key: channel,
          cells: [
            { text: channelName(channel) },
            ...MODELS.map((model) => {
              const value = micros[model];
              return { text: write(value === undefined ? undefined : Number(value), "money", { currency }), raw: value === undefined ? "" : exactMoney(value) };
            }),
          ],
        })),
      })}
    >
      {() => (
        <div className="models-scroll" tabIndex={0} role="region" aria-label={words.attribution.creditBy}>
          <table className="models">
            <caption className="hidden-text">{words.attribution.creditBy}</caption>
            <thead>
              <tr>
                <th scope="col">{words.attribution.channel}</th>
                {MODELS.map((model) => (
                  <th key={model} scope="col" data-chosen={model === state.model || undefined}>
                    <button type="button" aria-pressed={model === state.model} title={modelRule(model)} onClick={() => change({ model })}>
                      {modelName(model)}
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ channel, micros }) => (
                <tr key={channel}>
                  <th scope="row">
                    <i className="swatch" style={{ background: `var(${channelColour(channel)})` }} /> {channelName(channel)}
                  </th>
                  {MODELS.map((model) => (
                    <Cell key={model} value={micros[model]} chosen={micros[state.model]} isChosen={model === state.model} most={most} currency={currency} colour={channelColour(channel)} loading={!queries[model].data} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          <p className="widget-remark">
            {words.attribution.foot(modelName(state.model), modelRule(state.model))}
          </p>
        </div>
      )}
    </Widget>
  );
}

interface CellProps {
  value: bigint | undefined;
  chosen: bigint | undefined;
  isChosen: boolean;
  most: bigint;
  currency: string | undefined;
  colour: string;
  loading: boolean;
}

function Cell({ value, chosen, isChosen, most, currency, colour, loading }: CellProps) {
  if (value === undefined) return <td>{loading ? <span className="muted">…</span> : write(0, "money", { currency, short: true })}</td>;
  const share = chosen === undefined || chosen === 0n ? undefined : (Number(value) - Number(chosen)) / Number(chosen);
  return (
    <td data-chosen={isChosen || undefined}>
      <span className="models-figure">
        {write(Number(value), "money", { currency, short: true })}
        {!isChosen && share !== undefined && Math.abs(share) >= 0.0005 && <small>{writeChange(share)}</small>}
      </span>
      <span className="models-bar" aria-hidden>
        <i style={{ width: `${Math.max(0, (Number(value) / Number(most)) * 100)}%`, background: `var(${colour})` }} />
      </span>
    </td>
  );
}

function byChannel(answers: (Answer<Summary> | undefined)[], currency: string | undefined, sortBy: Model): Row[] {
  const rows = new Map<string, Row>();
  MODELS.forEach((model, at) => {
    for (const credit of answers[at]?.value.credits ?? []) {
      if (credit.currency !== currency) continue;
      const row = rows.get(credit.channel) ?? { channel: credit.channel, micros: {} };
      row.micros[model] = (row.micros[model] ?? 0n) + credit.micros;
      rows.set(credit.channel, row);
    }
  });
  return [...rows.values()].sort((a, b) => Number((b.micros[sortBy] ?? 0n) - (a.micros[sortBy] ?? 0n)));
}
