/** The countries of the world, each coloured by its value. The outlines are loaded when a map is nearly in sight. They are for eyes only: whoever
 * shows a map says the same in words and as a table. */
import { useEffect, useRef, useState } from "react";
import { shade } from "../charts/shade";
import "./heatmap.css";
import "./world-map.css";

type Outlines = typeof import("../gen/world-outlines.json");

// Far enough below the screen that they are there when the map is scrolled into it.
const NEAR = "400px";

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
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let gone = false;
    const watching = new IntersectionObserver(
      (seen) => {
        if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
        watching.disconnect();
        // Without them, as when the server has gone, what is said in words is still there.
        import("../gen/world-outlines.json").then((loaded) => gone || setOutlines(loaded.default), () => undefined);
      },
      { rootMargin: NEAR },
    );
    if (place.current) watching.observe(place.current);
    return () => {
      gone = true;
      watching.disconnect();
    };
  }, []);
  const highest = Math.max(0, ...values.values());
  const pointed = over === undefined ? undefined : values.get(over);
  return (
    <div className="world-map">
      <div ref={place} role="img" aria-label={label} onMouseLeave={() => setOver(undefined)}>
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
