/** A button that opens a list to choose from; with a search field when the list is long. */
import { Check, ChevronDown, Search, X } from "lucide-react";
import type { ReactNode } from "react";
import {
  Autocomplete,
  Button,
  Input,
  Menu,
  MenuItem,
  MenuTrigger,
  Popover,
  SearchField,
  useFilter,
  type Selection,
} from "react-aria-components";
import "./picker.css";

export interface Choice {
  id: string;
  label: string;
  note?: string | undefined;
  colour?: string | undefined;
}

interface Props {
  label: string;
  /** What is chosen, in words. */
  summary: ReactNode;
  choices: Choice[];
  chosen: readonly string[];
  onChoose: (ids: string[]) => void;
  several?: boolean;
  /** True when something other than the default is chosen. */
  active?: boolean;
  icon?: ReactNode;
  /** Takes the choice away. */
  onClear?: (() => void) | undefined;
  empty?: string;
}

// A list that fits on a screen needs no search.
const SEARCH_FROM = 12;

export function Picker({ label, summary, choices, chosen, onChoose, several, active, icon, onClear, empty }: Props) {
  const { contains } = useFilter({ sensitivity: "base" });
  const take = (keys: Selection) => onChoose(keys === "all" ? choices.map(({ id }) => id) : [...keys].map(String));
  const menu = (
    <Menu
      className="menu"
      aria-label={label}
      items={choices}
      selectionMode={several ? "multiple" : "single"}
      selectedKeys={chosen}
      onSelectionChange={take}
      shouldCloseOnSelect={!several}
      renderEmptyState={() => <p className="picker-empty">{empty ?? "Nothing to choose from"}</p>}
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
    <span className="picker" data-active={active || undefined}>
      <MenuTrigger>
        <Button className="button picker-button">
          {icon}
          <span className="picker-label">{label}</span>
          <span className="picker-summary">{summary}</span>
          <ChevronDown size={14} aria-hidden />
        </Button>
        <Popover className="popover" placement="bottom start">
          {choices.length >= SEARCH_FROM ? (
            <Autocomplete filter={contains}>
              <SearchField className="picker-search" aria-label={`Search ${label.toLowerCase()}`} autoFocus>
                <Search size={14} aria-hidden />
                <Input placeholder="Search" />
              </SearchField>
              {menu}
            </Autocomplete>
          ) : (
            menu
          )}
        </Popover>
      </MenuTrigger>
      {active && onClear && (
        <Button className="button button-icon picker-clear" aria-label={`Clear ${label.toLowerCase()}`} onPress={onClear}>
          <X size={14} aria-hidden />
        </Button>
      )}
    </span>
  );
}
