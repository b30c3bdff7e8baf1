/** The countries of the world, each coloured by its value. The outlines are loaded with the first map. They are for eyes only: whoever
 * shows a map says the same in words and as a table. */
import { useEffect, useState } from "react";
import { shade } from "../charts/shade";
import "./heatmap.css";
import "./world-map.css";

type Outlines = typeof import("../gen/world-outlines.json");

interface Props {
  /** By codes of ISO 3166-1; a country without outline, such as an island of one city, is left out. */
  values: ReadonlyMap<string, number>;
  /** What the map shows. */
  label: string;
  /** Says the value of a country, where there is one, or 0, which is at the end of the scale. */
  say: (value: number) => string;
  name: (code: string) => string;
  /** Shown while no country is pointed at. */
  hint: string;
}

export function WorldMap({ values, label, say, name, hint }: Props) {
  const [outlines, setOutlines] = useState<Outlines>();
  const [over, setOver] = useState<string>();
  useEffect(() => {
    let gone = false;
    // Without them, as when the server has gone, what is said in words is still there.
    import("../gen/world-outlines.json").then((loaded) => gone || setOutlines(loaded.default), () => undefined);
    return () => {
      gone = true;
    };
  }, []);
  const highest = Math.max(0, ...values.values());
  const pointed = over === undefined ? undefined : values.get(over);
  return (
    <div className="world-map">
      <div role="img" aria-label={label} aria-busy={!outlines || undefined} onMouseLeave={() => setOver(undefined)}>
        {outlines && (
          <svg viewBox={`0 0 ${outlines.width} ${outlines.height}`} aria-hidden>
            <path d={outlines.others} />
            {Object.entries(outlines.countries).map(([code, outline]) => (
              <path key={code} d={outline} data-country={code} style={{ fill: shade(values.get(code), highest) }} onMouseEnter={() => setOver(code)} />
            ))}
          </svg>
        )}
      </div>
      <p className="heatmap-foot">
        <span>{over === undefined ? hint : `${name(over)}: ${say(pointed ?? 0)}`}</span>
        <span className="heatmap-scale" aria-hidden>
          {say(0)} <i /> {say(highest)}
        </span>
      </p>
    </div>
  );
}
