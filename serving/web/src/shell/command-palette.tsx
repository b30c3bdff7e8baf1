/** Everything that can be done, by typing a part of its name. */
import { useNavigate } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useMemo } from "react";
import { Autocomplete, Dialog, Input, Menu, MenuItem, Modal, ModalOverlay, SearchField, useFilter } from "react-aria-components";
import { useQueryClient } from "@tanstack/react-query";
import { modelName } from "../data/attribution-queries";
import { CUSTOM } from "../dashboards/page";
import { presetName, PRESETS } from "../filters/date-range";
import { useKnownCampaigns } from "../filters/known-campaigns";
import { joinCampaigns, MODELS, useChangeSearch } from "../filters/search-state";
import { CHANNELS, channelName } from "../figures/channels";
import { useRights } from "../data/rights";
import { GALLERY, TEMPLATES } from "./templates";
import { chooseLanguage, LANGUAGES, words, type Language } from "../language/words";
import { chooseTheme, THEMES } from "./theme";

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
        <Dialog className="popover" aria-label={words.shell.commands}>
          <Autocomplete filter={contains}>
            <SearchField className="picker-search" aria-label={words.palette.search} autoFocus>
              <Search size={16} aria-hidden />
              <Input placeholder={words.palette.placeholder} />
            </SearchField>
            <Menu
              className="menu"
              aria-label={words.shell.commands}
              items={actions}
              renderEmptyState={() => <p className="picker-empty">{words.palette.empty}</p>}
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
  const rights = useRights();
  return useMemo(
    () => [
      ...[...TEMPLATES, GALLERY, CUSTOM].filter(({ needs }) => rights.may(needs)).map(({ path, name, key }) => ({
        id: path,
        name: words.palette.goTo(name),
        note: `G ${key.toUpperCase()}`,
        run: () => void navigate({ to: path, search: (before: object) => before } as never),
      })),
      ...PRESETS.map(({ id }) => ({ id: `range ${id}`, name: words.palette.range(presetName(id)), run: () => change({ range: id }) })),
      ...CHANNELS.map((id) => ({ id: `channel ${id}`, name: words.palette.channel(channelName(id)), run: () => change({ channel: id }) })),
      ...MODELS.map((id) => ({ id: `model ${id}`, name: words.palette.model(modelName(id)), run: () => change({ model: id }) })),
      {
        id: "clear",
        name: words.filters.clear,
        run: () => change({ channel: undefined, campaign: undefined, currency: undefined }),
      },
      { id: "compare", name: words.palette.compare, run: () => change({ compare: undefined }) },
      { id: "compare off", name: words.palette.compareOff, run: () => change({ compare: "none" }) },
      { id: "refresh", name: words.shell.readAgain, run: () => void client.invalidateQueries() },
      ...THEMES.map((theme) => ({ id: `theme ${theme}`, name: words.palette.theme(words.shell.themes[theme]), run: () => chooseTheme(theme) })),
      ...Object.entries(LANGUAGES).map(([id, name]) => ({ id: `language ${id}`, name: words.palette.language(name), run: () => chooseLanguage(id as Language) })),
      { id: "tenant", name: words.palette.tenant, run: onTenant },
      ...campaigns.map(({ id, note }) => ({
        id: `campaign ${id}`,
        name: words.palette.campaign(id),
        ...(note && { note }),
        run: () => change({ campaign: joinCampaigns([id]) }),
      })),
    ],
    [navigate, change, client, campaigns, rights, onTenant],
  );
}
