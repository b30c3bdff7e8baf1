/** The frame of every widget: title, tools, and what it says while it loads, without data, degraded and after an error. */
import type { UseQueryResult } from "@tanstack/react-query";
import { ChartLine, Lock, Table2, TriangleAlert } from "lucide-react";
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
import { useRights, type Subject } from "../data/rights";
import { SaveButton } from "./save-button";
import { FigureTable, type TableData } from "./figure-table";
import { ownHeight } from "../charts/own-height";
import "./table.css";
import "./widget.css";
import { words } from "../language/words";

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
  /** What the caller must be permitted to view; campaign figures unless given. */
  subject?: Subject;
  /** The same figures as a table, for screen readers and for copying. */
  table?: ((value: T) => TableData) | undefined;
  children: (value: T, answer: Answer<T>) => ReactNode;
}

export function Widget<T>({ query, height, isEmpty, empty, subject = "campaigns", table, children, title, tools, ...frame }: Props<T>) {
  const [asTable, setAsTable] = useState(false);
  const rights = useRights();
  const answer = query.data;
  const full = answer && !isEmpty(answer.value);
  if (!rights.view(subject)) return <NotYourRole {...frame} title={title} subject={subject} height={height} />;
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
              aria-label={asTable ? words.widget.asChart(title) : words.widget.asTable(title)}
              onPress={() => setAsTable(!asTable)}
            >
              {asTable ? <ChartLine size={15} aria-hidden /> : <Table2 size={15} aria-hidden />}
            </Button>
          )}
          {table && <SaveButton title={title} files={full ? answer.files : undefined} subject={subject} />}
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

/** Shown instead of figures that the caller's role does not include. Nothing is asked of the server. */
export function NotYourRole({ subject, height, ...frame }: Omit<FrameProps, "children" | "footer" | "tools"> & { subject: Subject; height: number }) {
  return (
    <Frame {...frame}>
      <div className="widget-words" style={ownHeight(height)}>
        <p>
          <Lock size={15} aria-hidden /> <strong>{words.access.notYourRole}</strong>
        </p>
        <p>{words.access.notYourRoleText[subject]}</p>
      </div>
    </Frame>
  );
}

function Body<T>({ query, height, empty, children }: { query: UseQueryResult<Answer<T>>; height: number; empty: string | undefined; children: ReactNode }) {
  if (query.data) {
    return (
      <div className="widget-figures" data-stale={query.isPlaceholderData || undefined} style={ownHeight(height)}>
        {empty === undefined ? children : <p className="widget-words">{empty}</p>}
      </div>
    );
  }
  if (query.isError) return <Failure error={query.error} height={height} retry={() => void query.refetch()} />;
  if (query.fetchStatus === "paused") {
    return (
      <p className="widget-words" style={ownHeight(height)}>
        {words.errors.offlineUnread}
      </p>
    );
  }
  // An element of its own: were it to become the one with the figures, browsers would report that it moved.
  return (
    <div key="loading" className="skeleton widget-loading" style={ownHeight(height)}>
      <span className="hidden-text">{words.common.loading}</span>
    </div>
  );
}

function Failure({ error, height, retry }: { error: unknown; height: number; retry: () => void }) {
  const problem = describe(error);
  return (
    <div className="widget-words" role="alert" style={ownHeight(height)}>
      <p>
        <TriangleAlert size={16} aria-hidden /> <strong>{problem.title}</strong>
      </p>
      <p>{problem.detail}</p>
      {problem.retry && (
        <Button className="button button-small" onPress={retry}>
          {words.errors.askAgain}
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
        {words.freshness.failed(describe(query.error).title, writeAge(now - query.dataUpdatedAt))}
      </Warning>
    );
  }
  if (!online) return <Warning>{words.freshness.offline(writeAge(now - query.dataUpdatedAt))}</Warning>;
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
        <p className="not-yet-mark">{words.widget.notAvailable}</p>
        <p>{children}</p>
      </div>
    </Frame>
  );
}
