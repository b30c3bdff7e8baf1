/** Where the journeys of the range began: countries on a map and as bars, and every place of the answer as a table. */
import { usePlaces } from "../data/place-queries";
import type { Place } from "../gen/tributary/v1/journeys_pb";
import { countryOf, isCode, placeName } from "../figures/places";
import { write } from "../figures/format";
import { words } from "../language/words";
import { Widget, type Width } from "./widget";
import { WorldMap } from "./world-map";
import "./funnel.css";
import "./places.css";

// As many bars as the widget has room for; the table has all.
const MOST = 6;

interface Country {
  code: string;
  journeys: number;
  converted: number;
}

function countries(places: readonly Place[]): Country[] {
  const found = new Map<string, Country>();
  for (const { location, journeys, converted } of places) {
    const code = countryOf(location);
    const sum = found.get(code) ?? { code, journeys: 0, converted: 0 };
    found.set(code, { code, journeys: sum.journeys + Number(journeys), converted: sum.converted + Number(converted) });
  }
  return [...found.values()].sort((a, b) => b.journeys - a.journeys);
}

export function Places({ width }: { width: Width }) {
  const query = usePlaces();
  return (
    <Widget
      title={words.places.title}
      note={words.places.note}
      width={width}
      query={query}
      subject="attribution"
      height={340}
      isEmpty={({ places }) => places.length === 0}
      empty={words.places.none}
      table={({ places }) => ({
        columns: [{ label: words.places.place }, { label: words.places.began, numeric: true }, { label: words.places.converted, numeric: true }, { label: words.places.rate, numeric: true }],
        rows: places.map(({ location, journeys, converted }) => {
          const rate = Number(converted) / Number(journeys);
          return {
            key: location,
            cells: [{ text: placeName(location) }, { text: write(Number(journeys), "count") }, { text: write(Number(converted), "count") }, { text: write(rate, "share"), raw: rate }],
          };
        }),
      })}
    >
      {({ places, journeys: all }) => {
        const ranked = countries(places);
        const drawn = ranked.filter(({ code }) => isCode(code));
        const shown = ranked.slice(0, MOST);
        const others = Number(all) - shown.reduce((sum, { journeys }) => sum + journeys, 0);
        return (
          <div className="places">
            <div className="places-parts">
              <WorldMap
                values={new Map(drawn.map(({ code, journeys }) => [code, journeys]))}
                label={words.places.map(drawn.length, drawn[0] ? placeName(drawn[0].code) : words.common.nothing)}
                say={(value) => write(value, "count")}
                name={placeName}
                hint={words.places.point}
              />
              <ol className="stage-funnel">
                {shown.map(({ code, journeys, converted }) => (
                  <li key={code}>
                    <p className="funnel-name">
                      <span>{placeName(code)}</span>
                      <small>{words.places.convertedShare(write(converted / journeys, "share"))}</small>
                      <b className="figure" data-testid={`place-${code}`}>
                        {write(journeys, "count")}
                      </b>
                    </p>
                    <span className="funnel-bar" aria-hidden>
                      <i style={{ width: `${(journeys / Number(all)) * 100}%` }} />
                    </span>
                  </li>
                ))}
                {others > 0 && (
                  <li>
                    <p className="funnel-name">
                      <span>{words.places.others}</span>
                      <b className="figure">{write(others, "count")}</b>
                    </p>
                  </li>
                )}
              </ol>
            </div>
          </div>
        );
      }}
    </Widget>
  );
}
