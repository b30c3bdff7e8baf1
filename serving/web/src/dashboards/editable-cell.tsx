/** A widget while its dashboard is edited: moved by its bar and resized by its corner, with a pointer or the arrow keys. The settings
 * beside the grid do the same with plain buttons and numbers, for whoever cannot drag. */
import { Copy, Grip, MoveDiagonal2, Trash2 } from "lucide-react";
import { useRef, type ReactNode, type RefObject } from "react";
import { useMove } from "react-aria/useMove";
import { Button } from "react-aria-components/Button";
import { boardWords } from "../language/board-words";
import { placeOf, Shown } from "./board";
import { nameOf, type DraftWidget } from "./draft";
import type { Area } from "./place";

const ROW_PX = 40;
const GAP_PX = 16;
const COLUMNS = 12;

interface Props {
  widget: DraftWidget;
  chosen: boolean;
  onChoose: () => void;
  /** While it is dragged and with each key; `end` when it is dropped. */
  onArea: (area: Area, end: boolean) => void;
  onDuplicate: () => void;
  onRemove: () => void;
}

export function EditableCell({ widget, chosen, onChoose, onArea, onDuplicate, onRemove }: Props) {
  const cell = useRef<HTMLDivElement>(null);
  const name = nameOf(widget);
  const move = useGridMove(cell, widget.area, onArea, (area, columns, rows) => ({ ...area, column: area.column + columns, row: area.row + rows }));
  const resize = useGridMove(cell, widget.area, onArea, (area, columns, rows) => ({ ...area, width: area.width + columns, height: area.height + rows }));
  return (
    <div ref={cell} className="board-cell board-edited" data-chosen={chosen || undefined} style={placeOf(widget)} role="group" aria-label={name}>
      <div className="board-bar">
        <Handle label={boardWords.editor.move(name)} className="board-move" moving={move} onPress={onChoose}>
          <Grip size={14} aria-hidden />
          <span>{name}</span>
        </Handle>
        <Button className="button button-quiet button-icon button-small" aria-label={boardWords.settings.of(name)} aria-pressed={chosen} onPress={onChoose}>
          <span aria-hidden>…</span>
        </Button>
        <Button className="button button-quiet button-icon button-small" aria-label={boardWords.editor.duplicateOne(name)} onPress={onDuplicate}>
          <Copy size={14} aria-hidden />
        </Button>
        <Button className="button button-quiet button-icon button-small" aria-label={boardWords.editor.remove(name)} onPress={onRemove}>
          <Trash2 size={14} aria-hidden />
        </Button>
      </div>
      {/* What it shows is to be looked at here, not used. */}
      <div className="board-preview" inert>
        <Shown widget={widget} />
      </div>
      <Handle label={boardWords.editor.resize(name)} className="board-resize" moving={resize} onPress={onChoose}>
        <MoveDiagonal2 size={14} aria-hidden />
      </Handle>
    </div>
  );
}

interface HandleProps {
  label: string;
  className: string;
  moving: object;
  onPress: () => void;
  children: ReactNode;
}

function Handle({ label, className, moving, onPress, children }: HandleProps) {
  return (
    <button type="button" className={className} aria-label={label} onClick={onPress} {...moving}>
      {children}
    </button>
  );
}

/** Turns pixels and keys into cells. A drag begins where the widget lies and is measured from there, so that it cannot drift. */
function useGridMove(
  cell: RefObject<HTMLDivElement | null>,
  area: Area,
  onArea: (area: Area, end: boolean) => void,
  apply: (area: Area, columns: number, rows: number) => Area,
): object {
  const from = useRef({ area, x: 0, y: 0 });
  const step = () => ((cell.current?.parentElement?.clientWidth ?? 0) + GAP_PX) / COLUMNS;
  const { moveProps } = useMove({
    onMoveStart: () => {
      from.current = { area, x: 0, y: 0 };
    },
    onMove: ({ deltaX, deltaY, pointerType }) => {
      if (pointerType === "keyboard") {
        onArea(apply(area, deltaX, deltaY), true);
        return;
      }
      from.current.x += deltaX;
      from.current.y += deltaY;
      onArea(apply(from.current.area, Math.round(from.current.x / step()), Math.round(from.current.y / (ROW_PX + GAP_PX))), false);
    },
    onMoveEnd: ({ pointerType }) => {
      if (pointerType === "keyboard") return;
      const { area: begun, x, y } = from.current;
      onArea(apply(begun, Math.round(x / step()), Math.round(y / (ROW_PX + GAP_PX))), true);
    },
  });
  return moveProps;
}
