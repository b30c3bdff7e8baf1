/** One custom dashboard, shown. */
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Copy, FileDown, History, Pencil, Share2, Trash2 } from "lucide-react";
import { useState } from "react";
import { Button } from "react-aria-components/Button";
import type { Dashboard } from "../gen/tributary/v1/dashboards_pb";
import { describe, reasonIn } from "../data/errors";
import { DefaultRefresh } from "../data/selection";
import { boardWords } from "../language/board-words";
import { words } from "../language/words";
import { Board } from "./board";
import { useChange, useDashboard } from "./dashboard-queries";
import { BoardDialog, HistoryDialog, Refusal, ShareDialog } from "./dialogs";
import { readDraft } from "./draft";
import { saveFile } from "./layout-file";
import "./board.css";

export function DashboardPage() {
  const { dashboardId = "" } = useParams({ strict: false }) as { dashboardId?: string };
  const read = useDashboard(dashboardId);
  if (read.data) return <Open dashboard={read.data} />;
  if (read.isError) return <Missing error={read.error} />;
  return (
    <div className="skeleton" style={{ height: 240 }}>
      <span className="hidden-text">{words.common.loading}</span>
    </div>
  );
}

export function Missing({ error }: { error: Error }) {
  const { title, detail } = describe(error);
  return (
    <div className="board-empty" role="alert">
      <strong>{title}</strong>
      <p>{detail}</p>
      <Link to={"/dashboards" as never} search={((before: object) => before) as never}>
        {boardWords.page.all}
      </Link>
    </div>
  );
}

function Open({ dashboard }: { dashboard: Dashboard }) {
  const [dialog, setDialog] = useState<"share" | "history" | "delete">();
  const change = useChange();
  const navigate = useNavigate();
  const draft = readDraft(dashboard);
  const close = () => setDialog(undefined);
  const go = (path: string) => void navigate({ to: path, search: (before: object) => before } as never);
  const { dashboardId: id } = dashboard;
  return (
    <DefaultRefresh.Provider value={draft.refresh}>
      <div className="board-head">
        <div>
          <h2>{dashboard.title}</h2>
          <p>
            {dashboard.sharedWith.length ? boardWords.page.sharedWith(dashboard.sharedWith.map((role) => boardWords.roles[role] ?? role).join(", ")) : boardWords.list.private}
            {!dashboard.ownedByCaller && boardWords.page.byAnother}. {boardWords.page.version(dashboard.version)}
          </p>
        </div>
        <div className="board-actions" role="toolbar" aria-label={boardWords.page.toolbar}>
          {dashboard.mayEdit && (
            <Button className="button button-primary" onPress={() => go(`/dashboards/${id}/edit`)}>
              <Pencil size={15} aria-hidden /> {boardWords.page.edit}
            </Button>
          )}
          {dashboard.mayShare && (
            <Button className="button" onPress={() => setDialog("share")}>
              <Share2 size={15} aria-hidden /> {boardWords.page.share}
            </Button>
          )}
          <Button className="button" onPress={() => setDialog("history")}>
            <History size={15} aria-hidden /> {boardWords.page.versions}
          </Button>
          <Button className="button" onPress={() => change.mutate({ kind: "duplicate", id }, { onSuccess: (made) => made && go(`/dashboards/${made.dashboardId}`) })}>
            <Copy size={15} aria-hidden /> {boardWords.page.duplicate}
          </Button>
          <Button className="button" onPress={() => saveFile(draft)}>
            <FileDown size={15} aria-hidden /> {boardWords.page.export}
          </Button>
          {dashboard.mayEdit && (
            <Button className="button button-icon" aria-label={boardWords.page.delete} onPress={() => setDialog("delete")}>
              <Trash2 size={15} aria-hidden />
            </Button>
          )}
        </div>
      </div>
      {change.isError && dialog !== "delete" && (
        <p className="board-message" data-tone="bad" role="alert">
          {reasonIn(change.error)}
        </p>
      )}
      {draft.widgets.length ? <Board widgets={draft.widgets} /> : <div className="board-empty">{boardWords.page.empty}</div>}
      {dialog === "share" && <ShareDialog dashboard={dashboard} onClose={close} />}
      {dialog === "history" && <HistoryDialog dashboard={dashboard} onClose={close} />}
      {dialog === "delete" && (
        <BoardDialog title={boardWords.page.deleteTitle(dashboard.title)} open onClose={close}>
          <p>{boardWords.page.deleteText}</p>
          {change.isError && <Refusal>{reasonIn(change.error)}</Refusal>}
          <div className="board-end">
            <Button className="button" onPress={close}>
              {words.common.cancel}
            </Button>
            <Button
              className="button button-primary"
              isDisabled={change.isPending}
              onPress={() => change.mutate({ kind: "delete", id, expectedVersion: dashboard.version }, { onSuccess: () => go("/dashboards") })}
            >
              {boardWords.page.delete}
            </Button>
          </div>
        </BoardDialog>
      )}
    </DefaultRefresh.Provider>
  );
}
