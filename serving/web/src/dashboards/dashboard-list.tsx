/** All custom dashboards that the caller sees, and the ways to make one. */
import { Link, useNavigate } from "@tanstack/react-router";
import { FileUp, Lock, Plus, Users } from "lucide-react";
import { useRef, useState } from "react";
import { Button } from "react-aria-components/Button";
import type { Dashboard } from "../gen/tributary/v1/dashboards_pb";
import { describe, reasonIn } from "../data/errors";
import { toMs } from "../data/protobuf-time";
import { useDashboardState } from "../filters/search-state";
import { writeTime } from "../figures/format";
import { boardWords } from "../language/board-words";
import { words } from "../language/words";
import { useChange, useDashboards } from "./dashboard-queries";
import { BoardDialog, Refusal } from "./dialogs";
import { EMPTY, type Draft } from "./draft";
import { FileProblem, readFile } from "./layout-file";
import "./board.css";

export function DashboardList() {
  const listed = useDashboards();
  const [making, setMaking] = useState(false);
  const [problem, setProblem] = useState<string>();
  const file = useRef<HTMLInputElement>(null);
  const change = useChange();
  const open = useOpen();
  const make = (draft: Draft, edit: boolean) =>
    change.mutate({ kind: "create", draft }, { onSuccess: (made) => made && open(made.dashboardId, edit), onError: (error) => setProblem(reasonIn(error)) });
  const read = async (chosen: File | undefined) => {
    if (!chosen) return;
    setProblem(undefined);
    try {
      make(readFile(await chosen.text()), false);
    } catch (error) {
      setProblem(error instanceof FileProblem ? `${chosen.name}: ${error.message}` : boardWords.list.unreadable(chosen.name));
    }
  };
  const own = listed.data?.dashboards.filter(({ ownedByCaller }) => ownedByCaller) ?? [];
  const others = listed.data?.dashboards.filter(({ ownedByCaller }) => !ownedByCaller) ?? [];
  return (
    <>
      <div className="board-head">
        <div>
          <h2>{boardWords.list.yours}</h2>
        </div>
        {listed.data?.mayCreate && (
          <div className="board-actions">
            <input ref={file} type="file" accept="application/json,.json" hidden aria-label={boardWords.list.file} onChange={(event) => void read(event.target.files?.[0]).finally(() => (event.target.value = ""))} />
            <Button className="button" onPress={() => file.current?.click()}>
              <FileUp size={15} aria-hidden /> {boardWords.list.import}
            </Button>
            <Button className="button button-primary" onPress={() => setMaking(true)}>
              <Plus size={15} aria-hidden /> {boardWords.list.new}
            </Button>
          </div>
        )}
      </div>
      {problem && (
        <p className="board-message" data-tone="bad" role="alert">
          {problem}
        </p>
      )}
      {listed.isError && !listed.data && (
        <p className="board-message" data-tone="bad" role="alert">
          {describe(listed.error).title}. {describe(listed.error).detail}
        </p>
      )}
      {listed.isPending && (
        <div className="skeleton" style={{ height: 120 }}>
          <span className="hidden-text">{words.common.loading}</span>
        </div>
      )}
      {listed.data && own.length === 0 && (
        <div className="board-empty">
          <p>{listed.data.mayCreate ? boardWords.list.noneYet : boardWords.list.mayNot}</p>
        </div>
      )}
      <Cards dashboards={own} />
      {others.length > 0 && <h2 className="board-section">{boardWords.list.shared}</h2>}
      <Cards dashboards={others} />
      {listed.data?.more && <p className="muted">{boardWords.list.more}</p>}
      {making && <NewDialog onClose={() => setMaking(false)} onMake={(title) => make({ ...EMPTY, title }, true)} />}
    </>
  );
}

function useOpen(): (id: string, edit: boolean) => void {
  const navigate = useNavigate();
  return (id, edit) => void navigate({ to: `/dashboards/${id}${edit ? "/edit" : ""}`, search: (before: object) => before } as never);
}

function Cards({ dashboards }: { dashboards: readonly Dashboard[] }) {
  const { timeZone } = useDashboardState();
  if (!dashboards.length) return null;
  return (
    <ul className="board-list">
      {dashboards.map(({ dashboardId, title, widgetCount, updatedAt, sharedWith }) => (
        <li key={dashboardId} className="board-card">
          <div>
            <h3>
              <Link to={`/dashboards/${dashboardId}` as never} search={((before: object) => before) as never}>
                {title}
              </Link>
            </h3>
            <p>
              {boardWords.widgets(widgetCount)}
              {boardWords.list.changed(writeTime(toMs(updatedAt) ?? 0, timeZone))}
            </p>
          </div>
          <p>
            {sharedWith.length ? <Users size={12} aria-hidden /> : <Lock size={12} aria-hidden />}{" "}
            {sharedWith.length ? sharedWith.map((role) => boardWords.roles[role] ?? role).join(", ") : boardWords.list.private}
          </p>
        </li>
      ))}
    </ul>
  );
}

function NewDialog({ onClose, onMake }: { onClose: () => void; onMake: (title: string) => void }) {
  const [title, setTitle] = useState("");
  const [refused, setRefused] = useState(false);
  return (
    <BoardDialog title={boardWords.list.new} open onClose={onClose}>
      <form
        style={{ display: "contents" }}
        onSubmit={(event) => {
          event.preventDefault();
          if (!title.trim()) return setRefused(true);
          onClose();
          onMake(title.trim());
        }}
      >
        <label>
          {boardWords.list.title}
          <input className="field" value={title} maxLength={100} autoFocus onChange={(event) => setTitle(event.target.value)} aria-invalid={refused || undefined} />
        </label>
        {refused && <Refusal>{boardWords.list.needsTitle}</Refusal>}
        <div className="board-end">
          <Button className="button" onPress={onClose}>
            {words.common.cancel}
          </Button>
          <Button className="button button-primary" type="submit">
            {boardWords.list.create}
          </Button>
        </div>
      </form>
    </BoardDialog>
  );
}
