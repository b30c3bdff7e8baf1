/** Words of whoever made the dashboard. Plain text: it is shown as it was typed. */
import { boardWords } from "../language/board-words";
import { Frame } from "../widgets/widget";

export function Note({ text }: { text: string }) {
  return (
    <Frame title={boardWords.kinds.note.name} width={12}>
      <p className="note-text">{text}</p>
    </Frame>
  );
}
