/** The list of a picker. */
import { Check, Search } from "lucide-react";
import { Autocomplete, Input, Menu, MenuItem, Popover, SearchField, useFilter, type Selection } from "react-aria-components";
import type { Choice } from "./picker";
import { words } from "../language/words";
import type { Opened } from "../shell/opener";

interface Props extends Opened {
  label: string;
  choices: Choice[];
  chosen: readonly string[];
  onChoose: (ids: string[]) => void;
  several: boolean;
  empty: string | undefined;
}

// A list that fits on a screen needs no search.
const SEARCH_FROM = 12;

export default function PickerList({ label, choices, chosen, onChoose, several, empty, open, onOpenChange, button }: Props) {
  const { contains } = useFilter({ sensitivity: "base" });
  const searched = choices.length >= SEARCH_FROM;
  const take = (keys: Selection) => {
    onChoose(keys === "all" ? choices.map(({ id }) => id) : [...keys].map(String));
    if (!several) onOpenChange(false);
  };
  const menu = (
    <Menu
      className="menu"
      aria-label={label}
      items={choices}
      selectionMode={several ? "multiple" : "single"}
      disallowEmptySelection={!several}
      selectedKeys={chosen}
      onSelectionChange={take}
      {...(!searched && { autoFocus: "first" as const })}
      renderEmptyState={() => <p className="picker-empty">{empty ?? words.filters.nothingToChoose}</p>}
    >
      {(choice: Choice) => (
        <MenuItem className="menu-item" textValue={choice.label}>
          {({ isSelected }) => (
            <>
              <span className="picker-check">{isSelected && <Check size={14} aria-hidden />}</span>
              {choice.colour && <span className="swatch" style={{ background: `var(${choice.colour})` }} />}
              {choice.label}
              {choice.note && <span className="menu-note">{choice.note}</span>}
            </>
          )}
        </MenuItem>
      )}
    </Menu>
  );
  return (
    <Popover className="popover" placement="bottom start" triggerRef={button} isOpen={open} onOpenChange={onOpenChange} aria-label={label}>
      {searched ? (
        <Autocomplete filter={contains}>
          <SearchField className="picker-search" aria-label={words.filters.searchOne(label)} autoFocus>
            <Search size={14} aria-hidden />
            <Input placeholder={words.filters.search} />
          </SearchField>
          {menu}
        </Autocomplete>
      ) : (
        menu
      )}
    </Popover>
  );
}
