/** The widgets of a dashboard on its grid. On a phone they are one below the other, in the order in which they are read. */
import { Suspense, useEffect, useRef, useState, type ReactNode } from "react";
import { boardWords } from "../language/board-words";
import { nameOf, type DraftWidget } from "./draft";
import { GivenTitle } from "./given-title";
import { inOrder } from "./place";
import { isKind, WIDGET_KINDS } from "./widget-kinds";
import { NotYet } from "../widgets/widget";
import "./board.css";

export function Board({ widgets }: { widgets: readonly DraftWidget[] }) {
  return (
    <div className="board">
      {inOrder(widgets).map((widget) => (
        <Cell key={widget.id} widget={widget}>
          <Shown widget={widget} />
        </Cell>
      ))}
    </div>
  );
}

export const placeOf = ({ area }: DraftWidget) => ({
  gridColumn: `${area.column + 1} / span ${area.width}`,
  gridRow: `${area.row + 1} / span ${area.height}`,
});

export function Shown({ widget }: { widget: DraftWidget }) {
  const { kind, title, settings } = widget;
  if (!isKind(kind)) {
    return (
      <NotYet title={nameOf(widget)} width={12}>
        {boardWords.unknownKind(kind)}
      </NotYet>
    );
  }
  return (
    <GivenTitle value={title}>
      <Suspense fallback={<div className="widget skeleton" aria-busy />}>{WIDGET_KINDS[kind].show(settings)}</Suspense>
    </GivenTitle>
  );
}

/** A place on the grid. Content that is larger scrolls inside, also by keyboard. */
function Cell({ widget, children }: { widget: DraftWidget; children: ReactNode }) {
  const place = useRef<HTMLDivElement>(null);
  const scrolls = useScrolls(place);
  return (
    <div
      ref={place}
      className="board-cell"
      style={placeOf(widget)}
      {...(scrolls && { tabIndex: 0, role: "group", "aria-label": boardWords.scrolls(nameOf(widget)) })}
    >
      {children}
    </div>
  );
}

function useScrolls(place: React.RefObject<HTMLDivElement | null>): boolean {
  const [scrolls, setScrolls] = useState(false);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const look = () => setScrolls(element.scrollHeight > element.clientHeight + 1 || element.scrollWidth > element.clientWidth + 1);
    const watching = new ResizeObserver(look);
    const changing = new MutationObserver(look);
    watching.observe(element);
    changing.observe(element, { childList: true, subtree: true });
    look();
    return () => {
      watching.disconnect();
      changing.disconnect();
    };
  }, [place]);
  return scrolls;
}
