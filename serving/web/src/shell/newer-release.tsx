/** Says that the server has a newer release of the page than the one that is shown, and loads it. */
import { RefreshCw } from "lucide-react";
import { useSyncExternalStore } from "react";
import { Button } from "react-aria-components/Button";
import { newerRelease, onNewerRelease } from "../offline/keep-files";
import { words } from "../language/words";

export function NewerRelease() {
  const newer = useSyncExternalStore(onNewerRelease, newerRelease);
  return (
    <div role="status" className="newer-release">
      {newer && (
        <div className="banner" data-tone="neutral">
          <RefreshCw size={15} aria-hidden />
          {words.shell.newerRelease}
          <Button className="button button-small" onPress={() => window.location.reload()}>
            {words.shell.loadNewerRelease}
          </Button>
        </div>
      )}
    </div>
  );
}
