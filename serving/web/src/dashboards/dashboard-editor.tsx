/** One custom dashboard, edited: a draft in the page until it is saved. */
import { useBlocker, useNavigate, useParams } from "@tanstack/react-router";
import { Plus, Redo2, Undo2 } from "lucide-react";
import { useRef, useState } from "react";
import { Button } from "react-aria-components/Button";
import type { Dashboard } from "../gen/tributary/v1/dashboards_pb";
import type { Refresh } from "../filters/search-state";
import { boardWords } from "../language/board-words";
import { words } from "../language/words";
import { reasonIn } from "../data/errors";
import { isConflict, useChange, useDashboard } from "./dashboard-queries";
import { Missing } from "./dashboard-page";
import { BoardDialog } from "./dialogs";
import { addWidget, duplicateWidget, nameOf, readDraft, removeWidget, sameDraft, type Draft, type DraftWidget } from "./draft";
import { EditableCell } from "./editable-cell";
import { saveFile } from "./layout-file";
import { MOST_WIDGETS, moveRows, put, type Area } from "./place";
import { SettingsPanel } from "./settings-panel";
import { useSteps } from "./steps";
import { KIND_IDS, type KindId } from "./widget-kinds";
import "./board.css";
import "./editor.css";

export function DashboardEditor() {
  const { dashboardId = "" } = useParams({ strict: false }) as { dashboardId?: string };
  const read = useDashboard(dashboardId);
  if (read.isError && !read.data) return <Missing error={read.error} />;
  if (!read.data) {
    return (
      <div className="skeleton" style={{ height: 240 }}>
        <span className="hidden-text">{words.common.loading}</span>
      </div>
    );
  }
  return <Editor key={read.data.dashboardId} dashboard={read.data} />;
}

function Editor({ dashboard }: { dashboard: Dashboard }) {
  // The version that the draft was made from: what is read meanwhile must not hide a conflict.
  const [base, setBase] = useState({ version: dashboard.version, draft: readDraft(dashboard) });
  const { draft, set, undo, redo, reset } = useSteps<Draft>(base.draft);
  const [chosenId, setChosenId] = useState<string>();
  const [adding, setAdding] = useState(false);
  const [said, setSaid] = useState("");
  const change = useChange();
  const navigate = useNavigate();
  const dirty = !sameDraft(draft, base.draft);
  const here = `/dashboards/${dashboard.dashboardId}`;
  const go = (path: string) => void navigate({ to: path, search: (before: object) => before, ignoreBlocker: true } as never);
  useBlocker({
    enableBeforeUnload: dirty,
    // Filters are a part of the address and may change meanwhile.
    shouldBlockFn: ({ current, next }) => dirty && current.pathname !== next.pathname && !window.confirm(boardWords.editor.leave),
  });
  const chosen = draft.widgets.find(({ id }) => id === chosenId);

  // Where all lay when a drag began: widgets that it only passes over go back to their places.
  const before = useRef<DraftWidget[]>(undefined);
  const lay = (id: string, area: Area, end: boolean) => {
    const from = before.current ?? draft.widgets;
    before.current = end ? undefined : from;
    const present = draft.widgets.find((widget) => widget.id === id)?.area;
    const rows = present && from === draft.widgets && area.row !== present.row && area.column === present.column ? area.row - present.row : 0;
    const widgets = Math.abs(rows) === 1 && present ? moveRows(from, id, present, rows) : put(from, id, area);
    set({ ...draft, widgets }, end ? undefined : `drag ${id}`);
    const moved = widgets.find((widget) => widget.id === id);
    if (moved && end) setSaid(boardWords.editor.lies(nameOf(moved), moved.area.column + 1, moved.area.row + 1, moved.area.width, moved.area.height));
  };
  const add = (kind: KindId) => {
    const added = addWidget(draft, kind);
    set(added.draft);
    setChosenId(added.id);
    setAdding(false);
    setSaid(boardWords.editor.added(boardWords.kinds[kind].name));
  };
  const save = () =>
    change.mutate(
      { kind: "update", id: dashboard.dashboardId, expectedVersion: base.version, draft },
      {
        onSuccess: (saved) => {
          if (!saved) return;
          setBase({ version: saved.version, draft: readDraft(saved) });
          go(here);
        },
      },
    );

  return (
    <>
      <div className="board-head">
        <label className="board-title">
          <span className="hidden-text">{boardWords.editor.title}</span>
          <input className="field" value={draft.title} maxLength={100} onChange={(event) => set({ ...draft, title: event.target.value }, "title")} />
        </label>
        <div className="board-actions" role="toolbar" aria-label={boardWords.editor.toolbar}>
          <label className="board-refresh">
            {words.shell.refresh}
            <select className="field" value={draft.refresh} onChange={(event) => set({ ...draft, refresh: event.target.value as Refresh })}>
              {Object.entries(words.refresh).map(([id, label]) => (
                <option key={id} value={id}>
                  {label}
                </option>
              ))}
            </select>
          </label>
          <Button className="button button-icon" aria-label={boardWords.editor.undo} isDisabled={!undo} onPress={() => undo?.()}>
            <Undo2 size={15} aria-hidden />
          </Button>
          <Button className="button button-icon" aria-label={boardWords.editor.redo} isDisabled={!redo} onPress={() => redo?.()}>
            <Redo2 size={15} aria-hidden />
          </Button>
          <Button className="button" onPress={() => setAdding(true)} isDisabled={draft.widgets.length >= MOST_WIDGETS}>
            <Plus size={15} aria-hidden /> {boardWords.editor.add}
          </Button>
          <Button className="button" onPress={() => go(here)}>
            {dirty ? boardWords.editor.discard : boardWords.editor.done}
          </Button>
          <Button className="button button-primary" isDisabled={!dirty || change.isPending || !draft.title.trim()} onPress={save}>
            {boardWords.editor.save}
          </Button>
        </div>
      </div>
      {change.isError && (
        <div className="board-message" data-tone="bad" role="alert">
          {isConflict(change.error) ? (
            <>
              <span>{boardWords.editor.conflict}</span>
              <Button className="button button-small" onPress={() => change.mutate({ kind: "create", draft: { ...draft, title: boardWords.editor.mine(draft.title.slice(0, 91)) } }, { onSuccess: (made) => made && go(`/dashboards/${made.dashboardId}`) })}>
                {boardWords.editor.saveCopy}
              </Button>
              <Button className="button button-small" onPress={() => saveFile(draft)}>
                {boardWords.editor.exportMine}
              </Button>
              <Button
                className="button button-small"
                onPress={() => {
                  const newest = readDraft(dashboard);
                  change.reset();
                  setBase({ version: dashboard.version, draft: newest });
                  reset(newest);
                }}
              >
                {boardWords.editor.takeTheirs}
              </Button>
            </>
          ) : (
            reasonIn(change.error)
          )}
        </div>
      )}
      <p className="hidden-text" role="status">
        {said}
      </p>
      <div className="board-editor" data-panel={chosen ? true : undefined}>
        {draft.widgets.length === 0 ? (
          <div className="board-empty">
            <p>{boardWords.editor.empty}</p>
            <Button className="button button-primary" onPress={() => setAdding(true)}>
              <Plus size={15} aria-hidden /> {boardWords.editor.addFirst}
            </Button>
          </div>
        ) : (
          <div className="board">
            {draft.widgets.map((widget) => (
              <EditableCell
                key={widget.id}
                widget={widget}
                chosen={widget.id === chosenId}
                onChoose={() => setChosenId(widget.id)}
                onArea={(area, end) => lay(widget.id, area, end)}
                onDuplicate={() => {
                  if (draft.widgets.length >= MOST_WIDGETS) return setSaid(boardWords.editor.most(MOST_WIDGETS));
                  const copy = duplicateWidget(draft, widget.id);
                  set(copy.draft);
                  setChosenId(copy.id);
                  setSaid(boardWords.editor.duplicated(nameOf(widget)));
                }}
                onRemove={() => {
                  set(removeWidget(draft, widget.id));
                  setSaid(boardWords.editor.removed(nameOf(widget)));
                }}
              />
            ))}
          </div>
        )}
        {chosen && (
          <SettingsPanel
            widget={chosen}
            onClose={() => setChosenId(undefined)}
            onArea={(area) => lay(chosen.id, area, true)}
            onChange={(changed) => set({ ...draft, widgets: draft.widgets.map((each) => (each.id === chosen.id ? { ...each, ...changed } : each)) }, `settings ${chosen.id}`)}
          />
        )}
      </div>
      <BoardDialog title={boardWords.editor.addTitle} open={adding} onClose={() => setAdding(false)}>
        <ul className="kind-list">
          {KIND_IDS.map((kind) => (
            <li key={kind}>
              <Button className="kind" onPress={() => add(kind)}>
                <strong>{boardWords.kinds[kind].name}</strong>
                <span>{boardWords.kinds[kind].purpose}</span>
              </Button>
            </li>
          ))}
        </ul>
      </BoardDialog>
    </>
  );
}
