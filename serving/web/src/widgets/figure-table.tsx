/** Figures as a plain table. */
import { words } from "../language/words";

export interface TableCell {
  /** As it is shown. */
  text: string;
  /** The figure itself, where the text rounds it: shown when pointed at. */
  raw?: string | number | bigint | undefined;
}

export interface TableData {
  columns: { label: string; numeric?: boolean; unit?: string | undefined }[];
  rows: { key: string; cells: TableCell[] }[];
}

export function FigureTable({ columns, rows, caption, height }: TableData & { caption: string; height: number }) {
  return (
    // A region that scrolls must be reachable by keyboard.
    <div className="figure-table" style={{ maxHeight: height }} tabIndex={0} role="region" aria-label={words.widget.table(caption)}>
      <table>
        <caption className="hidden-text">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ label, numeric, unit }) => (
              <th key={label} scope="col" data-numeric={numeric || undefined}>
                {label}
                {unit && <small> {unit}</small>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key}>
              {cells.map(({ text, raw }, index) =>
                index === 0 ? (
                  <th key={index} scope="row">
                    {text}
                  </th>
                ) : (
                  <td key={index} data-numeric={columns[index]?.numeric || undefined} title={raw === undefined ? undefined : String(raw)}>
                    {text}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
