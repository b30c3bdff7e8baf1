/** Words of whoever made the dashboard. Plain text: it is shown as it was typed. */
import { Frame } from "../widgets/widget";

export function Note({ text }: { text: string }) {
  return (
    <Frame title="Note" width={12}>
      <p className="note-text">{text}</p>
    </Frame>
  );
}
