/** One custom dashboard, shown. */
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { Copy, FileDown, History, Pencil, Share2, Trash2 } from "lucide-react";
import { useState } from "react";
import { Button } from "react-aria-components/Button";
import type { Dashboard } from "../gen/tributary/v1/dashboards_pb";
import { describe } from "../data/errors";
import { DefaultRefresh } from "../data/selection";
import { Board } from "./board";
import { reasonIn, useChange, useDashboard } from "./dashboard-queries";
import { BoardDialog, HistoryDialog, Refusal, ROLES, ShareDialog } from "./dialogs";
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
      <span className="hidden-text">Loading</span>
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
        All dashboards
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
            {dashboard.sharedWith.length ? `Shared with ${dashboard.sharedWith.map((role) => (ROLES[role] ?? role).toLowerCase()).join(", ")}` : "Private"}
            {!dashboard.ownedByCaller && ", made by somebody else"}. Version {dashboard.version}.
          </p>
        </div>
        <div className="board-actions" role="toolbar" aria-label="Dashboard">
          {dashboard.mayEdit && (
            <Button className="button button-primary" onPress={() => go(`/dashboards/${id}/edit`)}>
              <Pencil size={15} aria-hidden /> Edit
            </Button>
          )}
          {dashboard.mayShare && (
            <Button className="button" onPress={() => setDialog("share")}>
              <Share2 size={15} aria-hidden /> Share
            </Button>
          )}
          <Button className="button" onPress={() => setDialog("history")}>
            <History size={15} aria-hidden /> Versions
          </Button>
          <Button className="button" onPress={() => change.mutate({ kind: "duplicate", id }, { onSuccess: (made) => made && go(`/dashboards/${made.dashboardId}`) })}>
            <Copy size={15} aria-hidden /> Duplicate
          </Button>
          <Button className="button" onPress={() => saveFile(draft)}>
            <FileDown size={15} aria-hidden /> Export
          </Button>
          {dashboard.mayEdit && (
            <Button className="button button-icon" aria-label="Delete" onPress={() => setDialog("delete")}>
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
      {draft.widgets.length ? <Board widgets={draft.widgets} /> : <div className="board-empty">This dashboard has no widgets yet.</div>}
      {dialog === "share" && <ShareDialog dashboard={dashboard} onClose={close} />}
      {dialog === "history" && <HistoryDialog dashboard={dashboard} onClose={close} />}
      {dialog === "delete" && (
        <BoardDialog title={`Delete ${dashboard.title}?`} open onClose={close}>
          <p>It is deleted with all its versions, for everybody who sees it. Export it first to keep a copy.</p>
          {change.isError && <Refusal>{reasonIn(change.error)}</Refusal>}
          <div className="board-end">
            <Button className="button" onPress={close}>
              Cancel
            </Button>
            <Button
              className="button button-primary"
              isDisabled={change.isPending}
              onPress={() => change.mutate({ kind: "delete", id, expectedVersion: dashboard.version }, { onSuccess: () => go("/dashboards") })}
            >
              Delete
            </Button>
          </div>
        </BoardDialog>
      )}
    </DefaultRefresh.Provider>
  );
}
