/** The frame of every widget: title, tools, and what it says while it loads, without data, degraded and after an error. */
import type { UseQueryResult } from "@tanstack/react-query";
import { Download, Table2, ChartLine, TriangleAlert } from "lucide-react";
import { useId, useState, type ReactNode } from "react";
import { Button } from "react-aria-components/Button";
import { describe } from "../data/errors";
import { writeDegraded, writeFreshness } from "../data/freshness";
import type { Answer } from "../data/campaign-queries";
import { useGivenTitle } from "../dashboards/given-title";
import { useDashboardState } from "../filters/search-state";
import { writeAge } from "../figures/format";
import { useNow } from "../data/now";
import { useOnline } from "../data/online";
import { saveCsv } from "./csv";
import { FigureTable, type TableData } from "./figure-table";
import "./table.css";
import "./widget.css";

export type Width = 2 | 3 | 4 | 5 | 6 | 7 | 8 | 12;

interface FrameProps {
  title: string;
  /** What the figures are, in a few words. */
  note?: ReactNode;
  width: Width;
  tools?: ReactNode;
  footer?: ReactNode;
  children: ReactNode;
}

/** A widget without a query of its own. */
export function Frame({ title: own, note, width, tools, footer, children }: FrameProps) {
  const id = useId();
  const title = useGivenTitle(own);
  return (
    <article className="widget" data-width={width} aria-labelledby={id}>
      <header className="widget-head">
        <div>
          <h2 id={id}>{title}</h2>
          {note && <p>{note}</p>}
        </div>
        {tools && <div className="widget-tools">{tools}</div>}
      </header>
      <div className="widget-body">{children}</div>
      {footer && <footer className="widget-foot">{footer}</footer>}
    </article>
  );
}

interface Props<T> extends Omit<FrameProps, "children" | "footer"> {
  query: UseQueryResult<Answer<T>>;
  /** Height of the body while it loads, so that nothing moves when the figures come. */
  height: number;
  isEmpty: (value: T) => boolean;
  empty: string;
  /** The same figures as a table, for screen readers, for copying and for CSV. */
  table?: ((value: T) => TableData) | undefined;
  children: (value: T, answer: Answer<T>) => ReactNode;
}

export function Widget<T>({ query, height, isEmpty, empty, table, children, title, tools, ...frame }: Props<T>) {
  const [asTable, setAsTable] = useState(false);
  const answer = query.data;
  const full = answer && !isEmpty(answer.value);
  return (
    <Frame
      {...frame}
      title={title}
      tools={
        <>
          {tools}
          {table && (
            <Button
              className="button button-quiet button-icon button-small"
              isDisabled={!full}
              aria-pressed={asTable}
              aria-label={asTable ? `${title} as a chart` : `${title} as a table`}
              onPress={() => setAsTable(!asTable)}
            >
              {asTable ? <ChartLine size={15} aria-hidden /> : <Table2 size={15} aria-hidden />}
            </Button>
          )}
          {table && (
            <Button
              className="button button-quiet button-icon button-small"
              isDisabled={!full}
              aria-label={`Save ${title} as CSV`}
              onPress={() => full && saveCsv(title, table(answer.value))}
            >
              <Download size={15} aria-hidden />
            </Button>
          )}
        </>
      }
      footer={<Provenance query={query} />}
    >
      <Body query={query} height={height} empty={full ? undefined : empty}>
        {full && (asTable && table ? <FigureTable {...table(answer.value)} caption={title} height={height} /> : children(answer.value, answer))}
      </Body>
    </Frame>
  );
}

function Body<T>({ query, height, empty, children }: { query: UseQueryResult<Answer<T>>; height: number; empty: string | undefined; children: ReactNode }) {
  if (query.data) {
    return (
      <div className="widget-figures" data-stale={query.isPlaceholderData || undefined} style={{ minHeight: height }}>
        {empty === undefined ? children : <p className="widget-words">{empty}</p>}
      </div>
    );
  }
  if (query.isError) return <Failure error={query.error} height={height} retry={() => void query.refetch()} />;
  if (query.fetchStatus === "paused") {
    return (
      <p className="widget-words" style={{ minHeight: height }}>
        You are offline, and these figures were not read before.
      </p>
    );
  }
  return (
    <div className="skeleton" style={{ height }}>
      <span className="hidden-text">Loading</span>
    </div>
  );
}

function Failure({ error, height, retry }: { error: unknown; height: number; retry: () => void }) {
  const problem = describe(error);
  return (
    <div className="widget-words" role="alert" style={{ minHeight: height }}>
      <p>
        <TriangleAlert size={16} aria-hidden /> <strong>{problem.title}</strong>
      </p>
      <p>{problem.detail}</p>
      {problem.retry && (
        <Button className="button button-small" onPress={retry}>
          Ask again
        </Button>
      )}
    </div>
  );
}

/** The foot of a widget: how fresh its figures are, and whether they are the last known ones. */
export function Provenance({ query }: { query: UseQueryResult<Answer<unknown>> }) {
  const { timeZone } = useDashboardState();
  const now = useNow();
  const online = useOnline();
  const answer = query.data;
  if (!answer) return <span>&nbsp;</span>;
  const degraded = writeDegraded(answer.provenance);
  if (degraded) return <Warning>{degraded}</Warning>;
  if (query.isError && !query.isFetching) {
    return (
      <Warning>
        {describe(query.error).title}. Last known figures, {writeAge(now - query.dataUpdatedAt)} old.
      </Warning>
    );
  }
  if (!online) return <Warning>Offline. Last known figures, {writeAge(now - query.dataUpdatedAt)} old.</Warning>;
  return <span>{writeFreshness(answer.provenance, timeZone)}</span>;
}

function Warning({ children }: { children: ReactNode }) {
  return (
    <span className="warning">
      <TriangleAlert size={13} aria-hidden />
      {children}
    </span>
  );
}

/** A widget whose data does not exist yet: says so, and shows nothing in its place. */
export function NotYet({ title, width, children }: { title: string; width: Width; children: ReactNode }) {
  return (
    <Frame title={title} width={width}>
      <div className="not-yet">
        <p className="not-yet-mark">Not available</p>
        <p>{children}</p>
      </div>
    </Frame>
  );
}
