/** A table to work with: sorted by any column, filtered by text, in pages, with chosen columns. */
import { ArrowDown, ArrowUp, ChevronLeft, ChevronRight, Columns3 } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";
import { Button } from "react-aria-components/Button";
import { Picker } from "../filters/picker";
import { words } from "../language/words";

export interface Column<T> {
  id: string;
  label: string;
  numeric?: boolean;
  /** What the column is sorted by; rows without a value come last. */
  by: (row: T) => string | number | undefined;
  show: (row: T) => ReactNode;
}

interface Props<T> {
  caption: string;
  rows: T[];
  columns: Column<T>[];
  rowKey: (row: T) => string;
  /** What the text filter looks at. */
  text: (row: T) => string;
  first: { column: string; descending: boolean };
  chosen?: (row: T) => boolean;
  pageSize?: number;
}

export function DataTable<T>({ caption, rows, columns, rowKey, text, first, chosen, pageSize = 10 }: Props<T>) {
  const [sort, setSort] = useState(first);
  const [wanted, setWanted] = useState("");
  const [page, setPage] = useState(0);
  const [shown, setShown] = useState<string[]>(() => columns.map(({ id }) => id));
  const found = useMemo(() => {
    const part = wanted.trim().toLowerCase();
    const matching = part ? rows.filter((row) => text(row).toLowerCase().includes(part)) : rows;
    const column = columns.find(({ id }) => id === sort.column);
    return column ? [...matching].sort((a, b) => compare(column.by(a), column.by(b), sort.descending)) : matching;
  }, [rows, wanted, text, columns, sort]);
  const pages = Math.max(1, Math.ceil(found.length / pageSize));
  const at = Math.min(page, pages - 1);
  const visible = columns.filter(({ id }, index) => index === 0 || shown.includes(id));
  return (
    <>
      <div className="data-table-bar">
        <input
          className="field"
          type="search"
          placeholder={words.table.find}
          aria-label={words.table.findIn(caption)}
          value={wanted}
          onChange={(event) => {
            setWanted(event.target.value);
            setPage(0);
          }}
        />
        <Picker
          label={words.table.columns}
          summary={visible.length === columns.length ? words.common.all : words.common.of(String(visible.length), columns.length)}
          icon={<Columns3 size={14} aria-hidden />}
          choices={columns.slice(1).map(({ id, label }) => ({ id, label }))}
          chosen={shown}
          several
          onChoose={setShown}
        />
      </div>
      <div className="data-table-scroll" tabIndex={0} role="region" aria-label={caption}>
        <table className="data-table">
          <caption className="hidden-text">{caption}</caption>
          <thead>
            <tr>
              {visible.map(({ id, label, numeric }) => {
                const sorted = sort.column === id;
                return (
                  <th key={id} scope="col" data-numeric={numeric || undefined} {...(sorted && { "aria-sort": sort.descending ? ("descending" as const) : ("ascending" as const) })}>
                    <button
                      type="button"
                      onClick={() => {
                        setSort({ column: id, descending: sorted ? !sort.descending : numeric === true });
                        setPage(0);
                      }}
                    >
                      {label}
                      {sorted && (sort.descending ? <ArrowDown size={12} aria-hidden /> : <ArrowUp size={12} aria-hidden />)}
                    </button>
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody>
            {found.slice(at * pageSize, (at + 1) * pageSize).map((row) => (
              <tr key={rowKey(row)} data-chosen={chosen?.(row) || undefined}>
                {visible.map(({ id, numeric, show }, index) =>
                  index === 0 ? (
                    <th key={id} scope="row">
                      {show(row)}
                    </th>
                  ) : (
                    <td key={id} data-numeric={numeric || undefined}>
                      {show(row)}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
        {found.length === 0 && <p className="widget-words">{words.table.noRow}</p>}
      </div>
      <div className="data-table-pages">
        <span role="status">
          {words.common.of(found.length === 0 ? "0" : words.common.to(at * pageSize + 1, Math.min((at + 1) * pageSize, found.length)), found.length)}
        </span>
        <Button className="button button-icon button-small" aria-label={words.table.pageBefore} isDisabled={at === 0} onPress={() => setPage(at - 1)}>
          <ChevronLeft size={14} aria-hidden />
        </Button>
        <Button className="button button-icon button-small" aria-label={words.table.nextPage} isDisabled={at + 1 >= pages} onPress={() => setPage(at + 1)}>
          <ChevronRight size={14} aria-hidden />
        </Button>
      </div>
    </>
  );
}

function compare(a: string | number | undefined, b: string | number | undefined, descending: boolean): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  return descending ? -order : order;
}
