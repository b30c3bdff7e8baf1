/** Everything that can be done, by typing a part of its name. */
import { useNavigate } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useMemo } from "react";
import { Autocomplete, Dialog, Input, Menu, MenuItem, Modal, ModalOverlay, SearchField, useFilter } from "react-aria-components";
import { useQueryClient } from "@tanstack/react-query";
import { MODEL_NAMES } from "../data/attribution-queries";
import { CUSTOM } from "../dashboards/page";
import { PRESETS } from "../filters/date-range";
import { useKnownCampaigns } from "../filters/known-campaigns";
import { joinCampaigns, MODELS, useChangeSearch } from "../filters/search-state";
import { CHANNELS, channelName } from "../figures/channels";
import { TEMPLATES } from "./templates";
import { chooseTheme } from "./theme";

interface Action {
  id: string;
  name: string;
  note?: string;
  run: () => void;
}

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onTenant: () => void;
}

export default function CommandPalette({ open, onOpenChange, onTenant }: Props) {
  const { contains } = useFilter({ sensitivity: "base" });
  const actions = useActions(onTenant);
  return (
    <ModalOverlay className="scrim" isOpen={open} onOpenChange={onOpenChange} isDismissable>
      <Modal className="palette">
        <Dialog className="popover" aria-label="Commands">
          <Autocomplete filter={contains}>
            <SearchField className="picker-search" aria-label="Search the commands" autoFocus>
              <Search size={16} aria-hidden />
              <Input placeholder="Go to, filter, range, theme…" />
            </SearchField>
            <Menu
              className="menu"
              aria-label="Commands"
              items={actions}
              renderEmptyState={() => <p className="picker-empty">No command has this in its name.</p>}
              onAction={(key) => {
                onOpenChange(false);
                actions.find(({ id }) => id === key)?.run();
              }}
            >
              {(action: Action) => (
                <MenuItem className="menu-item" textValue={action.name}>
                  {action.name}
                  {action.note && <span className="menu-note">{action.note}</span>}
                </MenuItem>
              )}
            </Menu>
          </Autocomplete>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function useActions(onTenant: () => void): Action[] {
  const navigate = useNavigate();
  const change = useChangeSearch();
  const client = useQueryClient();
  const campaigns = useKnownCampaigns();
  return useMemo(
    () => [
      ...[...TEMPLATES, CUSTOM].map(({ path, name, key }) => ({
        id: path,
        name: `Go to ${name}`,
        note: `G ${key.toUpperCase()}`,
        run: () => void navigate({ to: path, search: (before: object) => before } as never),
      })),
      ...PRESETS.map(({ id, label }) => ({ id: `range ${id}`, name: `Range: ${label}`, run: () => change({ range: id }) })),
      ...CHANNELS.map((id) => ({ id: `channel ${id}`, name: `Channel: ${channelName(id)}`, run: () => change({ channel: id }) })),
      ...MODELS.map((id) => ({ id: `model ${id}`, name: `Attribution model: ${MODEL_NAMES[id]}`, run: () => change({ model: id }) })),
      {
        id: "clear",
        name: "Clear filters",
        run: () => change({ channel: undefined, campaign: undefined, currency: undefined }),
      },
      { id: "compare", name: "Compare with the period before", run: () => change({ compare: undefined }) },
      { id: "compare off", name: "Do not compare", run: () => change({ compare: "none" }) },
      { id: "refresh", name: "Read all figures again", run: () => void client.invalidateQueries() },
      { id: "light", name: "Theme: light", run: () => chooseTheme("light") },
      { id: "dark", name: "Theme: dark", run: () => chooseTheme("dark") },
      { id: "system", name: "Theme: as the system", run: () => chooseTheme("system") },
      { id: "tenant", name: "Change tenant", run: onTenant },
      ...campaigns.map(({ id, note }) => ({
        id: `campaign ${id}`,
        name: `Campaign: ${id}`,
        ...(note && { note }),
        run: () => change({ campaign: joinCampaigns([id]) }),
      })),
    ],
    [navigate, change, client, campaigns, onTenant],
  );
}
