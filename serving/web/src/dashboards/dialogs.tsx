/** The dialogs of a custom dashboard: with whom it is shared, and its earlier versions. */
import { useState, type ReactNode } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import type { Dashboard } from "../gen/tributary/v1/dashboards_pb";
import { toMs } from "../data/protobuf-time";
import { useDashboardState } from "../filters/search-state";
import { writeTime } from "../figures/format";
import { boardWords } from "../language/board-words";
import { words } from "../language/words";
import { reasonIn } from "../data/errors";
import { useChange, useVersions } from "./dashboard-queries";

export function BoardDialog({ title, open, onClose, children }: { title: string; open: boolean; onClose: () => void; children: ReactNode }) {
  return (
    <ModalOverlay className="scrim" isOpen={open} onOpenChange={(next) => !next && onClose()} isDismissable>
      <Modal className="board-dialog">
        <Dialog className="popover">
          <Heading slot="title">{title}</Heading>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

export function ShareDialog({ dashboard, onClose }: { dashboard: Dashboard; onClose: () => void }) {
  const [roles, setRoles] = useState<readonly string[]>(dashboard.sharedWith);
  const change = useChange();
  return (
    <BoardDialog title={boardWords.page.shareTitle(dashboard.title)} open onClose={onClose}>
      <fieldset>
        <legend>{boardWords.page.shareText}</legend>
        {Object.entries(boardWords.roles).map(([role, name]) => (
          <label key={role} className="check">
            <input
              type="checkbox"
              checked={roles.includes(role)}
              onChange={(event) => setRoles(event.target.checked ? [...roles, role] : roles.filter((each) => each !== role))}
            />
            {name}
          </label>
        ))}
      </fieldset>
      {change.isError && <Refusal>{reasonIn(change.error)}</Refusal>}
      <div className="board-end">
        <Button className="button" onPress={onClose}>
          {words.common.cancel}
        </Button>
        <Button
          className="button button-primary"
          isDisabled={change.isPending}
          onPress={() => change.mutate({ kind: "share", id: dashboard.dashboardId, roles: [...roles] }, { onSuccess: onClose })}
        >
          {roles.length ? boardWords.page.share : boardWords.page.keepPrivate}
        </Button>
      </div>
    </BoardDialog>
  );
}

export function HistoryDialog({ dashboard, onClose }: { dashboard: Dashboard; onClose: () => void }) {
  const { timeZone } = useDashboardState();
  const versions = useVersions(dashboard.dashboardId, true);
  const change = useChange();
  const { dashboardId: id, version: newest } = dashboard;
  return (
    <BoardDialog title={boardWords.page.versions} open onClose={onClose}>
      {versions.isError && <Refusal>{reasonIn(versions.error)}</Refusal>}
      {change.isError && <Refusal>{reasonIn(change.error)}</Refusal>}
      <ul className="version-list">
        {(versions.data ?? []).map(({ version, title, changedAt, changedByCaller, restoredFrom, widgetCount }) => (
          <li key={version}>
            <span>
              {boardWords.page.versionOf(version, title)}
              <small>
                {boardWords.page.change(writeTime(toMs(changedAt) ?? 0, timeZone), changedByCaller, widgetCount)}
                {restoredFrom > 0 && boardWords.page.restoredFrom(restoredFrom)}
              </small>
            </span>
            {version === newest ? (
              <span className="muted">{boardWords.page.newest}</span>
            ) : (
              dashboard.mayEdit && (
                <Button
                  className="button button-small"
                  aria-label={boardWords.page.restoreOne(version)}
                  isDisabled={change.isPending}
                  onPress={() => change.mutate({ kind: "restore", id, version, expectedVersion: newest }, { onSuccess: onClose })}
                >
                  {boardWords.page.restore}
                </Button>
              )
            )}
          </li>
        ))}
      </ul>
      <div className="board-end">
        <Button className="button" onPress={onClose}>
          {words.common.close}
        </Button>
      </div>
    </BoardDialog>
  );
}

export function Refusal({ children }: { children: ReactNode }) {
  return (
    <p className="field-error" role="alert">
      {children}
    </p>
  );
}
