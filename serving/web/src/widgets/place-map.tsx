/** The map, which has nothing to show: no served figure is counted by place. It says so, and draws nothing in its place. */
import { words } from "../language/words";
import { NotYet, type Width } from "./widget";

export function PlaceMap({ width }: { width: Width }) {
  return (
    <NotYet title={words.map.title} width={width}>
      {words.map.none}
    </NotYet>
  );
}
