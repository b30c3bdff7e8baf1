/** A table whose cells are coloured by their value, each with its figure in words. */
import { useState } from "react";
import "./heatmap.css";

export interface ShadedCell {
  key: string;
  /** Shown in the cell; empty where the colour is enough. */
  figure: string;
  /** What the cell says, whole. */
  said: string;
  /** 0 to 1: how much of `tone` the cell has; undefined: nothing is known. */
  strength: number | undefined;
  tone?: "high" | "low";
}

interface Props {
  caption: string;
  corner: string;
  columns: string[];
  rows: { key: string; name: string; cells: ShadedCell[] }[];
  hint: string;
}

export function ShadedTable({ caption, corner, columns, rows, hint }: Props) {
  const [over, setOver] = useState<string>();
  return (
    <>
      <div className="heatmap-scroll" tabIndex={0} role="region" aria-label={caption}>
        <table className="heatmap heatmap-figures" onMouseLeave={() => setOver(undefined)}>
          <caption className="hidden-text">{caption}</caption>
          <thead>
            <tr>
              <th scope="col">{corner}</th>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, name, cells }) => (
              <tr key={key}>
                <th scope="row">{name}</th>
                {cells.map((cell) => (
                  <td key={cell.key} onMouseEnter={() => setOver(cell.said)}>
                    <i style={{ background: ground(cell) }}>
                      {cell.figure}
                    </i>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="heatmap-foot" aria-hidden>
        <span>{over ?? hint}</span>
      </p>
    </>
  );
}

// The most colour that a cell takes: on it the text of every theme still reaches 4.5:1.
const MOST_COLOUR = 44;

function ground({ strength, tone = "high" }: ShadedCell): string {
  if (strength === undefined) return "var(--surface-sunken)";
  return `color-mix(in oklab, var(--heat-${tone === "low" ? "opposite" : "high"}) ${Math.round(strength * MOST_COLOUR)}%, var(--heat-low))`;
}
