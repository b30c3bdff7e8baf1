/** The lower levels of the drill-down: creatives by credit, converted journeys, and the events of one. */
import { modelName } from "../data/attribution-queries";
import { LOOKED_AT, useCreativeJourneys, useCreatives, type CreativeCredit } from "../data/conversion-queries";
import { stageName, useJourney } from "../data/journey-queries";
import { toMs } from "../data/protobuf-time";
import type { AttributedConversion } from "../gen/tributary/v1/attribution_pb";
import type { JourneyEvent } from "../gen/tributary/v1/journeys_pb";
import { useDashboardState } from "../filters/search-state";
import { channelColour, channelName } from "../figures/channels";
import { exactMoney, write, writeTime } from "../figures/format";
import { words } from "../language/words";
import type { LevelProps } from "./drill-down";
import { Path } from "./path";
import { Widget } from "./widget";
import "./breakdown.css";

const HEIGHT = 300;

export function CreativeLevel({ width, path, go, crumbs }: LevelProps) {
  const { model } = useDashboardState();
  const [channel = "", campaign] = path;
  const query = useCreatives(model, campaign);
  const rows = [...(query.data?.value ?? [])].sort((a, b) => Number(b.micros - a.micros));
  const longest = Number(rows[0]?.micros ?? 1n) || 1;
  const name = ({ creative }: CreativeCredit) => creative || words.drill.noCreative;
  return (
    <Widget
      title={words.drill.title}
      note={words.drill.notes.creative(modelName(model))}
      width={width}
      query={query}
      subject="attribution"
      height={HEIGHT}
      isEmpty={() => false}
      empty={words.drill.empty.creative}
      table={() => ({
        columns: [{ label: words.drill.creative }, { label: words.drill.credit, numeric: true }, { label: words.drill.conversions, numeric: true }],
        rows: rows.map((row) => ({
          key: `${row.creative}\n${row.currency}`,
          cells: [{ text: name(row) }, { text: write(Number(row.micros), "money", { currency: row.currency }), raw: exactMoney(row.micros) }, { text: write(row.conversions, "ratio") }],
        })),
      })}
    >
      {() => (
        <>
          {crumbs}
          {rows.length === 0 && <p className="widget-words">{words.drill.empty.creative}</p>}
          <ul className="bars">
            {rows.map((row) => (
              <li key={`${row.creative}\n${row.currency}`}>
                <button type="button" data-testid={`drill-${row.creative}`} onClick={() => go([...path, row.creative])}>
                  <span className="bars-name">
                    {name(row)}
                    <small>
                      {write(row.conversions, "ratio")} {words.drill.conversions}
                    </small>
                  </span>
                  <b className="figure">{write(Number(row.micros), "money", { currency: row.currency, short: true })}</b>
                  <span className="bars-track" aria-hidden>
                    <i style={{ width: `${Math.max(0, Number(row.micros) / longest) * 100}%`, background: `var(${channelColour(channel)})` }} />
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </Widget>
  );
}

export function JourneyLevel({ width, path, go, crumbs }: LevelProps) {
  const { model, timeZone } = useDashboardState();
  const [, campaign, creative] = path;
  const query = useCreativeJourneys(model, campaign, creative);
  const touches = (conversion: AttributedConversion) => conversion.models[0]?.touches ?? [];
  return (
    <Widget title={words.drill.title} note={words.drill.notes.journey(LOOKED_AT)} width={width} query={query} subject="detail" height={HEIGHT} isEmpty={() => false} empty={words.drill.empty.journey}>
      {(rows) => (
        <>
          {crumbs}
          {rows.length === 0 ? (
            <p className="widget-words">{words.drill.empty.journey}</p>
          ) : (
            <div className="data-table-scroll" tabIndex={0} role="region" aria-label={words.drill.levels.journey}>
              <table className="data-table">
                <thead>
                  <tr>
                    <th scope="col">{words.drill.journey}</th>
                    <th scope="col">{words.drill.customer}</th>
                    <th scope="col">{words.conversions.when}</th>
                    <th scope="col">{words.conversions.path}</th>
                    <th scope="col" data-numeric>
                      {words.common.value}
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map((row) => (
                    <tr key={row.conversionId}>
                      <th scope="row">
                        <button type="button" className="cell-button" onClick={() => go([...path.slice(0, 3), row.customerId, row.journeyId])}>
                          {row.journeyId}
                        </button>
                      </th>
                      <td>{row.customerId}</td>
                      <td>{writeTime(toMs(row.conversionTime) ?? 0, timeZone)}</td>
                      <td>
                        <Path touches={touches(row)} />
                      </td>
                      <td data-numeric>{write(Number(row.valueMicros), "money", { currency: row.currency })}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </>
      )}
    </Widget>
  );
}

export function EventLevel({ width, path, crumbs }: LevelProps) {
  const { timeZone } = useDashboardState();
  const [, , , customer, journey] = path;
  const query = useJourney(customer, journey);
  const what = ({ eventType, interactionType, kind }: JourneyEvent) => [words.drill.eventNames[eventType] ?? eventType, interactionType || kind].filter(Boolean).join(", ").replaceAll("_", " ");
  const where = ({ channel, campaignId, creativeId, source }: JourneyEvent) => [channel && channelName(channel), campaignId, creativeId, source].filter(Boolean).join(" · ");
  return (
    <Widget
      title={words.drill.title}
      note={words.drill.notes.events}
      width={width}
      query={query}
      subject="detail"
      height={HEIGHT}
      isEmpty={() => false}
      empty={words.drill.empty.events}
      table={({ events }) => ({
        columns: [{ label: words.drill.when }, { label: words.drill.what }, { label: words.drill.stage }, { label: words.drill.where }, { label: words.common.value, numeric: true }],
        rows: events.map((event) => ({
          key: event.eventId,
          cells: [
            { text: writeTime(toMs(event.eventTime) ?? 0, timeZone, "second") },
            { text: what(event) },
            { text: stageName(event.stage) },
            { text: where(event) },
            { text: event.valueMicros === 0n ? "" : write(Number(event.valueMicros), "money", { currency: event.currency }) },
          ],
        })),
      })}
    >
      {({ events }) => (
        <>
          {crumbs}
          {events.length === 0 && <p className="widget-words">{words.drill.empty.events}</p>}
          <ol className="journey-events">
            {events.map((event) => (
              <li key={event.eventId} data-kind={event.eventType}>
                <i aria-hidden style={event.channel ? { background: `var(${channelColour(event.channel)})` } : undefined} />
                <div>
                  <strong>{what(event)}</strong> <span className="muted">{where(event)}</span>
                  <small>
                    {writeTime(toMs(event.eventTime) ?? 0, timeZone, "second")} · {stageName(event.stage)}
                  </small>
                </div>
                {event.valueMicros !== 0n && <b className="figure">{write(Number(event.valueMicros), "money", { currency: event.currency })}</b>}
              </li>
            ))}
          </ol>
        </>
      )}
    </Widget>
  );
}
