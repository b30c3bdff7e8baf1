/** A button that opens a list to choose from; with a search field when the list is long. The list is loaded when it is opened first. */
import { ChevronDown, X } from "lucide-react";
import { lazy, type ReactNode } from "react";
import { Button } from "react-aria-components/Button";
import "./picker.css";
import { Opener } from "../shell/opener";
import { words } from "../language/words";

const PickerList = lazy(() => import("./picker-list"));

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

export function Picker({ label, summary, choices, chosen, onChoose, several = false, active, icon, onClear, empty }: Props) {
  return (
    <span className="picker" data-active={active || undefined}>
      <Opener opens="menu" className="button picker-button" content={(opened) => <PickerList {...{ label, choices, chosen, onChoose, several, empty }} {...opened} />}>
        {icon}
        <span className="picker-label">{label}</span>
        <span className="picker-summary">{summary}</span>
        <ChevronDown size={14} aria-hidden />
      </Opener>
      {active && onClear && (
        <Button className="button button-icon picker-clear" aria-label={words.filters.clearOne(label)} onPress={onClear}>
          <X size={14} aria-hidden />
        </Button>
      )}
    </span>
  );
}
